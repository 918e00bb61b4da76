"""The tags of the stack are on what the guard creates, and a refusal for want of one says so."""

import pytest

from emulator import Cloud
from emulator.strict import options
from tests.reactions.account import kinds
from tests.reactions.stories import ENSURE

TAGS = {"CostCentre": "1234", "Owner": "platform team"}
ASKED = "ListTagsForResource"


def tags_of(account, vpc_id: str) -> list[dict[str, str]]:
    """The tags of the endpoint and of the guard's group in a VPC."""
    (endpoint,) = account.endpoints(vpc_id)
    ids = [group["GroupId"] for group in endpoint["Groups"]]
    (group,) = account.ec2.describe_security_groups(GroupIds=ids)["SecurityGroups"]
    return [{tag["Key"]: tag["Value"] for tag in one["Tags"]} for one in (endpoint, group)]


def asked(cloud: Cloud) -> int:
    return sum(call.function == ENSURE and call.action == ASKED for call in cloud.calls)


def test_what_is_created_carries_the_stacks_tags_and_the_guards_own(cloud, account):
    given = {
        **TAGS,
        "Name": "theirs",
        "vpce-guard:managed": "false",  # not theirs to say
        "vpce-guard:stack": "another",
        "vpce-guard:ignore": "",  # excepts the stack, not what it creates
    }
    cloud.tag_stack(given)
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()
    own = {"vpce-guard:managed": "true", "vpce-guard:stack": cloud.deployment.stack_id}
    for tags in tags_of(account, vpc_id):
        assert tags.pop("vpce-guard:reason")
        assert tags == {**TAGS, "Name": "theirs", **own}


def test_without_tags_of_the_stack_there_are_the_guards_own(cloud, account):
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()
    for tags in tags_of(account, vpc_id):
        assert set(tags) == {
            "Name",
            "vpce-guard:managed",
            "vpce-guard:stack",
            "vpce-guard:reason",
        }


def test_they_are_asked_for_before_a_creation_alone_and_once_a_minute(cloud, account):
    vpcs = [account.vpc_with_subnets()[0] for _ in range(3)]
    cloud.settle()
    assert all(account.endpoints(vpc_id) for vpc_id in vpcs)
    assert asked(cloud) == 1
    account.subnet(vpcs[0], "10.20.9.0/24", "us-east-1d")  # a repair that creates nothing
    cloud.fire_schedule()
    cloud.settle()
    assert asked(cloud) == 1


def test_a_policy_that_demands_tags_is_answered_by_tags_of_the_stack(cloud, account):
    options.demanded_tags = {"CostCentre"}
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()
    assert set(kinds(cloud)) == {"endpoint-not-repairable"}
    todo = " ".join(cloud.findings[0]["todo"])
    assert "a service control policy denies it" in todo
    assert "sam deploy --stack-name vpce-guard --tags KEY=VALUE" in todo

    cloud.tag_stack(TAGS)  # which is a deployment, upon which all VPCs are reconciled
    cloud.settle()
    assert all(tags["CostCentre"] == "1234" for tags in tags_of(account, vpc_id))


@pytest.mark.parametrize("code", ["TagPolicyViolation", "UnauthorizedOperation"])
def test_the_cure_is_named_whatever_the_words(cloud, account, code):
    cloud.fault("ec2", "CreateVpcEndpoint", code, times=99, message="No.", function=ENSURE)
    account.vpc_with_subnets()
    cloud.settle()
    assert any("sam deploy" in line for line in cloud.findings[0]["todo"])


def test_where_the_tags_cannot_be_read_the_endpoint_is_made_and_it_is_said(cloud, account):
    cloud.tag_stack(TAGS)
    cloud.fault("ssm", ASKED, "AccessDeniedException", times=99, message="No.", function=ENSURE)
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()
    assert all("CostCentre" not in tags for tags in tags_of(account, vpc_id))
    (created,) = [one for one in cloud.findings if one["kind"] == "endpoint-created"]
    assert any("AccessDeniedException: No." in line for line in created["todo"])


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServerError"])
def test_where_they_cannot_be_read_now_the_creation_waits(cloud, account, code):
    cloud.tag_stack(TAGS)
    cloud.fault("ssm", ASKED, code, times=2, function=ENSURE)
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()
    assert all(tags["CostCentre"] == "1234" for tags in tags_of(account, vpc_id))
    assert cloud.dead_letters("VpcQueue") == []


def test_cloudformation_puts_the_stacks_tags_on_its_resources(cloud, account):
    cloud.tag_stack(TAGS)
    ssm, functions = account.client("ssm"), account.client("lambda")
    name = cloud.resource("ModeParameter")
    found = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"]
    tags = {tag["Key"]: tag["Value"] for tag in found}
    assert tags.items() >= TAGS.items()
    assert tags["aws:cloudformation:stack-name"] == "vpce-guard"
    arn = cloud.deployment.functions[ENSURE].arn
    assert functions.list_tags(Resource=arn)["Tags"].items() >= TAGS.items()
    cloud.reset()
    found = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"]
    assert not {tag["Key"] for tag in found} & set(TAGS)


def test_a_stack_may_be_deployed_with_tags():
    with Cloud.start(parameters={"Mode": "remediate"}, tags=TAGS) as cloud:
        client = cloud.session("alice").client("sqs")
        found = client.list_queue_tags(QueueUrl=cloud.resource("VpcQueue"))["Tags"]
        assert found.items() >= TAGS.items()
