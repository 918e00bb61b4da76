"""Two chapters in which the guard makes way: for an endpoint of theirs, and for a tear-down."""

from collections.abc import Callable

from botocore.exceptions import ClientError

from guardctl.drill.chapter import Checks, new_kinds, new_writes
from guardctl.drill.stage import Stage


def bring_endpoint(stage: Stage) -> None:
    vpc_id = stage.props["bank"]
    (ours,) = stage.endpoints(vpc_id)
    stage.client("ec2", "terraform").create_vpc_endpoint(
        VpcId=vpc_id,
        ServiceName=stage.cloud.service_name,
        VpcEndpointType="Interface",
        SubnetIds=ours["SubnetIds"][:1],
        PrivateDnsEnabled=False,
    )


def theirs_is_kept(stage: Stage) -> Checks:
    endpoints = stage.endpoints(stage.props["bank"])
    tags = [tag for one in endpoints for tag in one.get("Tags", [])]
    yield "theirs is kept, ours is gone", len(endpoints) == 1 and not tags
    yield "theirs has private DNS now", endpoints[0]["PrivateDnsEnabled"]
    yield "and reaches into every AZ of the VPC", len(endpoints[0]["SubnetIds"]) == 2
    yield (
        "ours went before theirs was repaired: only one can have private DNS",
        (new_writes(stage)[-2:] == ["DeleteVpcEndpoints", "ModifyVpcEndpoint"]),
    )
    yield (
        "ops were notified, and of its policy, which was the default one",
        (new_kinds(stage) == ["policy-restored", "endpoint-yielded", "endpoint-repaired"]),
    )


def tear_down(stage: Stage) -> None:
    ec2, vpc_id = stage.client("ec2", "terraform"), stage.props["shop"]
    found = stage.see().describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])
    stage.props["tries"] = [
        _until_done(stage, ec2.delete_subnet, SubnetId=one["SubnetId"]) for one in found["Subnets"]
    ]
    _until_done(stage, ec2.delete_vpc, VpcId=vpc_id)


def _until_done(stage: Stage, delete: Callable[..., object], **what: str) -> int:
    """What Terraform does while something is in use: wait, and try again."""
    for tries in range(1, 10):
        try:
            delete(**what)
        except ClientError:
            stage.cloud.settle()
        else:
            return tries
    return 0


def vpc_is_let_go(stage: Stage) -> Checks:
    filters = [{"Name": "vpc-id", "Values": [stage.props["shop"]]}]
    yield "the VPC is gone", not stage.see().describe_vpcs(Filters=filters)["Vpcs"]
    yield "after a retry, as our endpoint stood in a subnet", max(stage.props["tries"]) > 1
    yield (
        "the guard took away its endpoint, and its group once that was free",
        (new_writes(stage) == ["DeleteVpcEndpoints", "DeleteSecurityGroup"]),
    )
    yield "ops were notified of both", new_kinds(stage) == ["stood-down", "stood-down"]
