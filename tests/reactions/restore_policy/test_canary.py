"""A deployment changes an approved policy: one endpoint first, the rest if it holds."""

import json
import shutil
from datetime import timedelta

import pytest
from moto.sqs.models import SQSBackend

from emulator import Caller, Cloud
from guard.approved.rollouts import Rollouts
from guard.table.items import Items
from guardctl.policies import ROOT
from tests.reactions.account import Account, kinds, writes
from tests.reactions.policies import History, copy_of_code, place, tamper

RESTORE = "RestorePolicyFunction"
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory):
    """The stack, from a copy of the code whose policies a deployment can change."""
    root = tmp_path_factory.mktemp("root")
    approved = copy_of_code(root)
    parameters = {"Mode": "remediate", "GraceMinutes": "0", "SlackWebhookParameter": ""}
    with Cloud.start(parameters=parameters, root=root) as cloud:
        yield cloud, approved / "endpoint_policies" / "own-account.json"


class Scene:
    """Three VPCs with their endpoints, swept once; and deployments."""

    def __init__(self, cloud, path):
        self.cloud, self.path, self.account = cloud, path, Account(cloud)
        vpcs = [self.account.vpc_with_subnets(["us-east-1a"])[0] for _ in range(3)]
        cloud.settle()
        self.ids = sorted(self.account.endpoints(one)[0]["VpcEndpointId"] for one in vpcs)
        cloud.fire_schedule()
        cloud.settle()
        self.old = self.account.policy(self.ids[0])
        self.findings = len(cloud.findings)

    def deploy(self, sid="NewVersion", action="secretsmanager:ListSecrets"):
        """A deployment by which the policy has one statement more."""
        document = json.loads(self.path.read_text())
        more = {"Sid": sid, "Effect": "Allow", "Principal": "*", "Action": action, "Resource": "*"}
        document["Statement"] = [document["Statement"][0], more]
        self.path.write_text(json.dumps(document))
        self.redeploy()

    def redeploy(self):
        self.cloud.redeploy()

    def new(self):
        """The endpoints that carry another policy than the old one."""
        return [one for one in self.ids if self.account.policy(one) != self.old]

    def published(self):
        """Of policies: other findings, such as those of the guard's own health, are not asked."""
        return [
            (one["kind"], one["severity"])
            for one in self.cloud.findings[self.findings :]
            if one["kind"].startswith("policy-")
        ]

    def deny(self, endpoint_id):
        self.cloud.inject(self.cloud.denied_at_endpoint("app", endpoint_id))

    def reject(self):
        """A deployment whose version its canary refuses; the version."""
        self.deploy()
        self.cloud.pass_time(3 * MINUTE)
        version = self.account.policy(self.ids[0])
        self.deny(self.ids[0])
        self.cloud.pass_time(3 * MINUTE)
        known = self.rollout()
        assert known
        assert known.phase == "rejected"
        return version

    def rollout(self):
        client = self.cloud.session("audience").client("dynamodb")
        items = Items(client, self.cloud.outputs["StateTableName"], place(self.cloud))
        return Rollouts(items).of("own-account", self.cloud.clock.now())


@pytest.fixture
def scene(deployed):
    cloud, path = deployed
    shutil.copy(ROOT / "layers/approved_policies/endpoint_policies/own-account.json", path)
    cloud.reset()
    return Scene(cloud, path)


def test_one_endpoint_first_and_the_rest_when_it_held(scene):
    scene.deploy()
    scene.cloud.pass_time(5 * MINUTE)
    assert scene.new() == scene.ids[:1]
    assert scene.published() == [("policy-rollout", "low")]

    scene.cloud.pass_time(5 * MINUTE)
    assert scene.new() == scene.ids[:1]
    scene.cloud.pass_time(15 * MINUTE)

    assert scene.new() == scene.ids
    assert scene.published()[1:] == [("policy-rollout", "low"), *[("policy-rollout", "info")] * 2]
    assert "policy-restored" not in kinds(scene.cloud)
    assert scene.cloud.dead_letters("PolicyQueue") == []
    for endpoint_id in scene.ids:
        assert list(History(scene.cloud).of(endpoint_id))[-1]["action"] == "applied"


def test_a_denial_at_the_canary_undoes_it_and_spares_the_others(scene):
    scene.deploy()
    scene.cloud.pass_time(3 * MINUTE)
    canary = scene.ids[0]

    scene.deny(canary)
    scene.cloud.pass_time(3 * MINUTE)

    assert scene.new() == []
    kind, severity = scene.published()[-1]
    assert (kind, severity) == ("policy-rollout-failed", "high")
    (failed,) = [one for one in scene.cloud.findings if one["kind"] == "policy-rollout-failed"]
    assert "GetSecretValue by arn:aws:sts::123456789012:assumed-role/app" in failed["cause"]
    assert failed["done"][0] == f"wrote the policy of before the rollout to {canary} again"
    changes = list(History(scene.cloud).of(canary))
    assert [one["action"] for one in changes] == ["created", "applied", "rolled back"]
    assert json.loads(changes[2]["after"]) == scene.old
    scene.cloud.settle(timedelta(hours=7))  # nor does the next sweep try it again
    assert scene.new() == []


@pytest.mark.parametrize("who", ["a stranger", "somebody who never could"])
def test_a_denial_that_the_version_before_would_have_made_undoes_nothing(scene, who):
    """Else whoever can send one request through the endpoint vetoes every new policy."""
    scene.deploy()
    scene.cloud.pass_time(3 * MINUTE)
    stranger = Caller(kind="role", account="444455556666")
    envelope = scene.cloud.denied_at_endpoint(
        "app", scene.ids[0], caller=stranger if who == "a stranger" else None
    )
    if who != "a stranger":  # of a secret of another account, which the policy never let pass
        theirs = "arn:aws:secretsmanager:us-east-1:444455556666:secret:x-AbCdEf"
        envelope["detail"]["requestParameters"] = {"secretId": theirs}
    scene.cloud.inject(envelope)
    scene.cloud.pass_time(20 * MINUTE)

    assert scene.new() == scene.ids
    assert "endpoint-denied" in kinds(scene.cloud)
    assert "policy-rollout-failed" not in kinds(scene.cloud)


def test_a_denial_that_counts_is_found_among_those_that_do_not(scene):
    scene.deploy()
    scene.cloud.pass_time(3 * MINUTE)
    stranger = Caller(kind="role", account="444455556666")
    theirs = [
        scene.cloud.denied_at_endpoint("mallory", scene.ids[0], caller=stranger) for _ in range(3)
    ]
    ours = scene.cloud.denied_at_endpoint("app", scene.ids[0])
    scene.cloud.inject(*theirs, ours, *theirs)
    scene.cloud.pass_time(3 * MINUTE)
    assert scene.new() == []
    (failed,) = [one for one in scene.cloud.findings if one["kind"] == "policy-rollout-failed"]
    assert "assumed-role/app" in failed["cause"]


def test_a_rejected_version_is_put_back_wherever_somebody_writes_it(scene):
    """By its event, and where that was lost by the sweep."""
    rejected = scene.reject()
    for unseen in (False, True):
        tamper(scene.cloud, scene.ids[1], policy=rejected)
        assert scene.new() == scene.ids[1:2]
        if unseen:
            scene.cloud.lose_events()
            scene.cloud.fire_schedule()
        scene.cloud.settle()
        assert scene.new() == []
        assert scene.published()[-1][0] == "policy-restored"


def test_a_version_that_is_tried_is_put_back_elsewhere_and_its_canary_left_alone(scene):
    scene.deploy()
    scene.cloud.pass_time(3 * MINUTE)
    tamper(scene.cloud, scene.ids[1], policy=scene.account.policy(scene.ids[0]))
    scene.cloud.lose_events()
    scene.cloud.fire_schedule()
    scene.cloud.pass_time(1 * MINUTE)

    assert scene.new() == scene.ids[:1]


def test_once_accepted_a_policy_that_agrees_is_not_read_again(scene):
    reads = []
    for _ in range(3):
        began = len(scene.cloud.calls)
        tamper(scene.cloud, scene.ids[1], policy=scene.old)
        scene.cloud.settle()
        made = [one for one in scene.cloud.calls[began:] if one.function == RESTORE]
        assert "DescribeVpcEndpoints" in [one.action for one in made]
        reads.append([one.action for one in made if one.service == "dynamodb"])
    assert reads[1:] == [[], []]


@pytest.mark.parametrize("last", ["ModifyVpcEndpoint", "PublishBatch"])
def test_a_rollback_that_is_killed_is_kept_and_published_once(scene, last):
    scene.deploy()
    scene.cloud.pass_time(3 * MINUTE)
    service = "ec2" if last == "ModifyVpcEndpoint" else "sns"
    scene.cloud.fault(service, last, "", when="killed", function=RESTORE)
    scene.deny(scene.ids[0])
    scene.cloud.pass_time(30 * MINUTE)

    assert scene.new() == []
    changes = list(History(scene.cloud).of(scene.ids[0]))
    assert [one["action"] for one in changes] == ["created", "applied", "rolled back"]
    assert json.loads(changes[2]["after"]) == scene.old
    failed = [one for one in scene.cloud.findings if one["kind"] == "policy-rollout-failed"]
    assert len({one["id"] for one in failed}) == 1
    assert failed[-1]["title"].endswith("(reported late)")
    assert scene.rollout().phase == "rejected"


def test_denials_elsewhere_and_denials_from_before_do_not_count(scene):
    early = scene.cloud.denied_at_endpoint("app", scene.ids[0])
    scene.deploy()
    scene.cloud.pass_time(3 * MINUTE)

    scene.cloud.inject(early)
    scene.deny(scene.ids[1])
    scene.cloud.pass_time(20 * MINUTE)

    assert scene.new() == scene.ids


def test_what_aws_refuses_is_not_rolled_out(scene):
    scene.cloud.fault("ec2", "ModifyVpcEndpoint", "InvalidPolicyDocument", function=RESTORE)
    scene.deploy()
    scene.cloud.settle(timedelta(hours=1))

    assert scene.new() == []
    assert scene.published() == [("policy-rollout-failed", "high")]
    (failed,) = [one for one in scene.cloud.findings if one["kind"] == "policy-rollout-failed"]
    assert "AWS refused it: InvalidPolicyDocument" in failed["cause"]


def test_others_that_could_not_be_asked_for_are_asked_for_again(scene, monkeypatch):
    """SQS takes a part of a batch: the version counts as accepted only when all were sent."""
    send, refused = SQSBackend.send_message_batch, []

    def some(self, queue_name, entries):
        if refused or "PolicyQueue" not in queue_name:
            return send(self, queue_name, entries)
        refused.append(list(entries))
        return [], [{"Id": one, "Code": "InternalError", "SenderFault": False} for one in entries]

    scene.deploy()
    scene.cloud.pass_time(3 * MINUTE)
    monkeypatch.setattr(SQSBackend, "send_message_batch", some)
    scene.cloud.settle(timedelta(hours=1))

    assert len(refused) == 1
    assert [
        one.error for one in scene.cloud.invocations if one.function == RESTORE and one.error
    ] == []
    assert scene.new() == scene.ids
    assert scene.cloud.dead_letters("PolicyQueue") == []


def test_a_refusal_that_could_not_be_published_is_published_late_as_what_it_was(scene):
    scene.cloud.fault("ec2", "ModifyVpcEndpoint", "InvalidPolicyDocument", function=RESTORE)
    scene.cloud.fault("sns", "PublishBatch", "", when="killed", function=RESTORE)
    scene.deploy()
    scene.cloud.settle(timedelta(hours=1))

    assert (
        scene.published() == [("policy-rollout-failed", "high")] * 2
    )  # the first was published, then lost
    assert scene.rollout().phase == "rejected"
    assert [one["action"] for one in History(scene.cloud).of(scene.ids[0])] == ["created"]


@pytest.mark.parametrize("failures", [2, 4])
def test_a_refusal_that_could_not_be_published_is_not_lost_to_a_restoration(scene, failures):
    """The canary carried neither version, so the next try puts the proven one back on it."""
    for endpoint_id in scene.ids:
        tamper(scene.cloud, endpoint_id)
    scene.cloud.lose_events()
    scene.deploy()
    scene.cloud.fault(
        "ec2", "ModifyVpcEndpoint", "InvalidPolicyDocument", times=3, function=RESTORE
    )
    scene.cloud.fault("sns", "PublishBatch", "InternalError", times=failures, function=RESTORE)
    scene.cloud.settle(timedelta(hours=2))

    assert scene.rollout().phase == "rejected"
    assert ("policy-rollout-failed", "high") in scene.published()
    assert scene.published().count(("policy-restored", "high")) == 3


def test_meanwhile_a_tampered_endpoint_gets_the_proven_version(scene):
    scene.deploy()
    scene.cloud.pass_time(3 * MINUTE)

    tamper(scene.cloud, scene.ids[1])
    tamper(scene.cloud, scene.ids[0])
    scene.cloud.pass_time(1 * MINUTE)

    assert scene.account.policy(scene.ids[1]) == scene.old
    assert scene.new() == scene.ids[:1]
    assert scene.published()[-2:] == [("policy-restored", "high")] * 2


def test_a_vpc_that_comes_meanwhile_gets_the_proven_version(scene):
    scene.deploy()
    scene.cloud.pass_time(1 * MINUTE)
    vpc_id, _ = scene.account.vpc_with_subnets()
    scene.cloud.pass_time(13 * MINUTE)

    (made,) = scene.account.endpoints(vpc_id)
    assert scene.account.policy(made["VpcEndpointId"]) == scene.old


def test_an_event_between_the_deployment_and_its_sweep_rolls_nothing_out(scene):
    scene.deploy()
    scene.cloud.lose_events()  # the deployment's own
    tamper(scene.cloud, scene.ids[2])
    scene.cloud.settle()

    assert scene.new() == []
    assert scene.account.policy(scene.ids[2]) == scene.old


def test_the_version_before_can_be_deployed_again(scene):
    scene.deploy()
    scene.cloud.pass_time(3 * MINUTE)
    shutil.copy(ROOT / "layers/approved_policies/endpoint_policies/own-account.json", scene.path)

    scene.redeploy()
    scene.cloud.settle()

    assert scene.new() == []
    assert scene.rollout().phase == "steady"


def test_a_rejected_version_is_tried_again_by_the_next_deployment(scene):
    scene.reject()

    scene.redeploy()
    scene.cloud.settle()

    assert scene.new() == scene.ids


def test_a_canary_that_is_deleted_is_replaced_by_the_next_sweep(scene):
    scene.deploy()
    scene.cloud.pass_time(3 * MINUTE)
    scene.account.ec2.delete_vpc_endpoints(VpcEndpointIds=scene.ids[:1])
    scene.cloud.settle()
    scene.ids = scene.ids[1:]
    assert scene.new() == []

    scene.cloud.fire_schedule()
    scene.cloud.settle()

    assert scene.new() == scene.ids


def test_observe_mode_tries_nothing_and_reports(scene):
    parameter = scene.cloud.outputs["ModeParameterName"]
    scene.account.client("ssm").put_parameter(Name=parameter, Value="observe", Overwrite=True)
    scene.cloud.lose_events()  # of the switch itself, which watch_guard would publish
    scene.cloud.clock.skip(61)
    scene.deploy()
    scene.cloud.settle()

    assert scene.new() == []
    assert scene.published() == [("policy-drift", "high")]


def test_a_lost_request_is_made_good_by_the_sweep(scene):
    scene.deploy()
    scene.cloud.pass_time(1 * MINUTE)
    assert scene.new() == scene.ids[:1]
    sqs = scene.account.client("sqs")
    sqs.purge_queue(QueueUrl=scene.cloud.outputs["PolicyQueueUrl"])
    scene.cloud.pass_time(30 * MINUTE)
    assert scene.new() == scene.ids[:1]

    scene.cloud.fire_schedule()
    scene.cloud.settle()

    assert scene.new() == scene.ids


def test_a_deployment_that_only_rewords_a_policy_writes_nothing(scene):
    document = json.loads(scene.path.read_text())
    document["Statement"][0]["Sid"] = "CalledOtherwise"
    scene.path.write_text(json.dumps(document))
    done = len(writes(scene.cloud, RESTORE))

    scene.redeploy()
    scene.cloud.settle()

    assert len(writes(scene.cloud, RESTORE)) == done
    assert scene.published() == []


def test_many_denials_of_one_endpoint_cost_one_write_a_batch(scene):
    before = len(scene.cloud.calls)
    for number in range(20):
        caller = Caller(kind="role")
        name = f"app-{number}"
        scene.cloud.inject(scene.cloud.denied_at_endpoint(name, scene.ids[0], caller=caller))
    scene.cloud.settle()

    noted = [
        one
        for one in scene.cloud.calls[before:]
        if one.action == "UpdateItem" and "canary-watch#" in str(one.params)
    ]
    assert len(noted) == 1
