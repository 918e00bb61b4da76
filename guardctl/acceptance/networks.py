"""Chapters about a VPC's endpoint: it appears, its policy is opened, and somebody deletes it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from guard.approved.lists import ApprovedLists
from guard.approved.policies import ApprovedPolicyError, Placeholders, load
from guard.policy import PolicyError, means
from guard.settings import OPT_OUT_TAG, SCOPE_TAG
from guardctl.acceptance.chapter import Check, equal
from guardctl.acceptance.polling import Seen
from guardctl.acceptance.stage import NETWORK, Stage
from guardctl.lists import SHIPPED as LISTS
from guardctl.policies import SHIPPED
from guardctl.stack import StackError

SUBNETS = ("10.255.254.0/26", "10.255.254.64/26")
ALLOW_ALL = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}],
}
SHOWN_WITHIN = 3  # minutes in which EC2 shows a change everywhere
ENSURE, RESTORE = "EnsureEndpointFunction", "RestorePolicyFunction"


def create_vpcs(stage: Stage) -> None:
    """One VPC to guard, and one that carries the opt-out tag from the start."""
    ignore = {OPT_OUT_TAG: "acceptance"}
    stage.props["ignored"], stage.props["ignored_subnets"] = _make_vpc(stage, ignore)
    stage.props["vpc"], _ = _make_vpc(stage, {})


def vpc_is_served(stage: Stage) -> Iterator[Check]:
    vpc_id = stage.props["vpc"]
    first = stage.grace + stage.patience
    claim = "the VPC has one endpoint, available, with private DNS"
    yield Check(claim, lambda: _available(stage, vpc_id, "endpoint"), ENSURE, first)
    endpoint = stage.endpoints(vpc_id)[0]
    yield Check(
        "it has an interface in both AZs, or in as many as MaximumZones allows",
        lambda: _placed(stage, endpoint),
        ENSURE,
    )
    yield Check(
        "the VPC's DNS hostnames are on", lambda: equal(True, stage.hostnames(vpc_id)), ENSURE
    )
    yield Check(
        "port 443 is open to the whole VPC",
        lambda: equal([NETWORK], stage.admitted(endpoint)),
        ENSURE,
    )
    yield Check("it carries the approved policy", lambda: _approved(stage), ENSURE)
    yield Check(
        "the VPC with the opt-out tag, made before it, has none",
        lambda: equal([], stage.endpoints(stage.props["ignored"])),
        ENSURE,
    )


def open_policy(stage: Stage) -> None:
    stage.props["approved"] = stage.policy(stage.props["endpoint"])
    _write_policy(stage, ALLOW_ALL)


def policy_is_back(stage: Stage) -> Iterator[Check]:
    endpoint = stage.props["endpoint"]
    # First the finding: EC2 may still show the policy as it was before the change.
    yield Check(
        "its restoration was published, with the caller's name",
        lambda: stage.props["finding_queue"].finding("policy-restored", endpoint, stage.caller),
        RESTORE,
        stage.patience,
    )
    yield Check(
        "the approved policy is attached again",
        lambda: equal(stage.props["approved"], stage.policy(endpoint)),
        RESTORE,
        SHOWN_WITHIN,
    )


def reword_policy(stage: Stage) -> None:
    """The same meaning in other words: the next chapters show that the guard leaves it alone."""
    _write_policy(stage, reworded(stage.props["approved"]))


def wording_is_taken(stage: Stage) -> Iterator[Check]:
    yield Check("EC2 shows the other words", lambda: _has_other_words(stage), RESTORE, SHOWN_WITHIN)


def wording_is_left(stage: Stage) -> Check:
    """To be asked for once a later event has come through."""
    return Check(
        "meanwhile, the approved policy in other words was left alone",
        lambda: equal(stage.props["reworded"], stage.policy(stage.props["endpoint"])),
        RESTORE,
    )


def delete_endpoint(stage: Stage) -> None:
    stage.props["deleted"] = stage.props.pop("endpoint")
    stage.client("ec2").delete_vpc_endpoints(VpcEndpointIds=[stage.props["deleted"]])


def endpoint_is_back(stage: Stage) -> Iterator[Check]:
    yield Check(
        "a new endpoint is available, with private DNS",
        lambda: _available(stage, stage.props["vpc"], "endpoint"),
        ENSURE,
        stage.patience,
    )
    yield Check("it carries the approved policy", lambda: _approved(stage), ENSURE)


def endpoint_of(stage: Stage, vpc_id: str) -> Seen:
    """Whether the VPC has its working endpoint."""
    return _available(stage, vpc_id, "second_endpoint")


def reworded(policy: Mapping[str, Any]) -> dict[str, Any]:
    """A policy of the same meaning: other statement ids, and everybody spelled the other way."""
    other = {"*": {"AWS": "*"}}
    statements = [
        {
            **one,
            "Sid": f"Acceptance{number}",
            "Principal": other.get(str(one.get("Principal")), one.get("Principal")),
        }
        for number, one in enumerate(policy["Statement"])
    ]
    return {**policy, "Statement": statements}


# --- inside ---------------------------------------------------------------------------------------


def _make_vpc(stage: Stage, tags: Mapping[str, str]) -> tuple[str, list[str]]:
    ec2 = stage.client("ec2")
    if stage.stack.parameter("Scope") == "tagged":
        tags = {SCOPE_TAG: "acceptance", **tags}
    made = ec2.create_vpc(CidrBlock=NETWORK, TagSpecifications=_tagged(stage, "vpc", tags))
    vpc_id = made["Vpc"]["VpcId"]
    subnets = [
        stage.polling.patiently(
            lambda cidr=cidr, zone=zone: ec2.create_subnet(
                VpcId=vpc_id,
                CidrBlock=cidr,
                AvailabilityZone=zone,
                TagSpecifications=_tagged(stage, "subnet", {}),
            ),
            "InvalidVpcID.NotFound",
        )["Subnet"]["SubnetId"]
        for cidr, zone in zip(SUBNETS, _supported_zones(stage), strict=True)
    ]
    return vpc_id, subnets


def _tagged(stage: Stage, kind: str, more: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": stage.tags(more)}]


def _supported_zones(stage: Stage) -> list[str]:
    """Two AZs in which the service can have an endpoint. Raises StackError if there are not."""
    if "zones" not in stage.props:
        answer = stage.client("ec2").describe_vpc_endpoint_services(ServiceNames=[stage.service])
        zones = sorted(answer["ServiceDetails"][0]["AvailabilityZones"])[:2]
        if len(zones) < 2:
            raise StackError(f"{stage.service} is in fewer than two AZs of {stage.stack.region}")
        stage.props["zones"] = zones
    return stage.props["zones"]


def _placed(stage: Stage, endpoint: Mapping[str, Any]) -> Seen:
    zones, most = stage.zones(endpoint["SubnetIds"]), stage.stack.parameters.get("MaximumZones")
    expected = min(int(most or 0) or len(SUBNETS), len(SUBNETS))
    return Seen(len(zones) == expected and {*zones} <= {*stage.props["zones"]}, ", ".join(zones))


def _has_other_words(stage: Stage) -> Seen:
    policy = stage.policy(stage.props["endpoint"])
    if policy != stage.props["approved"]:
        stage.props["reworded"] = policy
    return Seen("reworded" in stage.props, str(policy))


def _available(stage: Stage, vpc_id: str, prop: str) -> Seen:
    """Whether the VPC has one working endpoint, which is not the one that was deleted."""
    deleted = stage.props.get("deleted")
    found = [one for one in stage.endpoints(vpc_id) if one["VpcEndpointId"] != deleted]
    words = ", ".join(
        f"{one['VpcEndpointId']} {one['State']}, private DNS {one['PrivateDnsEnabled']}"
        for one in found
    )
    well = [
        one for one in found if one["State"].lower() == "available" and one["PrivateDnsEnabled"]
    ]
    if len(found) == 1 and well:
        stage.props[prop] = well[0]["VpcEndpointId"]
    return Seen(len(found) == 1 and bool(well), words or "no endpoint")


def _approved(stage: Stage) -> Seen:
    """Whether the endpoint's policy means what this repository's file of that name says."""
    name = stage.stack.parameter("ApprovedPolicy")
    text = json.dumps(stage.policy(stage.props["endpoint"]))
    try:
        approved = load(
            name,
            SHIPPED,
            Placeholders(
                account_id=stage.stack.account,
                region=stage.stack.region,
                partition=stage.partition,
                org_id=ApprovedLists.load(LISTS).organization,
            ),
        )
        return Seen(means(text, approved.policy), f"{name}: {text}")
    except (ApprovedPolicyError, PolicyError) as error:
        return Seen(holds=False, words=f"{error}; attached: {text}")


def _write_policy(stage: Stage, policy: Mapping[str, Any]) -> None:
    stage.client("ec2").modify_vpc_endpoint(
        VpcEndpointId=stage.props["endpoint"], PolicyDocument=json.dumps(policy)
    )
