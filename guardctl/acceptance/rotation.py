"""A chapter in which rotation is turned on with a function in a VPC that has no endpoint.

That the opt-out tag is removed would give the VPC its endpoint, too. So the function is let out
to nothing, which the guard publishes only of what it hears about rotations.

The function does nothing, successfully. Secrets Manager must be allowed to invoke it, Lambda must
be able to assume its role and to make network interfaces with it ("Giving Lambda functions access
to resources in an Amazon VPC"), and each of these takes AWS seconds to know.
"""

import io
import zipfile
from collections.abc import Iterator

from guard.settings import OPT_OUT_TAG
from guardctl.acceptance.chapter import Check
from guardctl.acceptance.networks import ENSURE, endpoint_of
from guardctl.acceptance.polling import Seen
from guardctl.acceptance.roles import make_role
from guardctl.acceptance.stage import Stage
from guardctl.stack import StackError

CODE = "def handler(event, context):\n    return None\n"
STAMP = (2020, 1, 1, 0, 0, 0)
INTERFACES = {
    "Effect": "Allow",
    "Action": [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
    ],
    "Resource": "*",
}
# What a VPC's default group has at first ("Default security groups for your VPCs", VPC user guide).
EVERYWHERE = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
ACTIVE_MINUTES = 10  # Lambda makes the interfaces first; it says that this can take minutes


def enable_rotation(stage: Stage) -> None:
    """The VPC that was left alone until now: without its tag, and with a rotation function that its
    security group lets out to nothing.
    """
    stage.client("ec2").delete_tags(Resources=[stage.props["ignored"]], Tags=[{"Key": OPT_OUT_TAG}])
    function = _make_function(stage)
    stage.client("ec2").revoke_security_group_egress(
        GroupId=_default_group(stage), IpPermissions=[EVERYWHERE]
    )
    stage.polling.patiently(
        lambda: stage.client("secretsmanager").rotate_secret(
            SecretId=stage.props["secret"],
            RotationLambdaARN=function,
            RotationRules={"AutomaticallyAfterDays": 30},
            RotateImmediately=False,
        ),
        "AccessDeniedException",
    )


def rotation_is_served(stage: Stage) -> Iterator[Check]:
    finding_queue, secret = stage.props["finding_queue"], stage.props["secret"]
    yield Check(
        "that the function cannot reach an endpoint was published, with the secret",
        lambda: finding_queue.finding("rotation-cannot-reach-endpoint", secret),
        ENSURE,
        stage.patience,
    )
    yield Check(
        "the function's VPC was found and has its endpoint, with private DNS",
        lambda: endpoint_of(stage, stage.props["ignored"]),
        ENSURE,
        stage.patience,
    )
    yield Check("its DNS hostnames are on", lambda: _hostnames(stage), ENSURE)


def _hostnames(stage: Stage) -> Seen:
    on = stage.hostnames(stage.props["ignored"])
    return Seen(on, "on" if on else "off")


def _make_function(stage: Stage) -> str:
    role = make_role(stage, "rotation", {"Service": "lambda.amazonaws.com"}, [INTERFACES])
    functions = stage.client("lambda")
    made = stage.polling.patiently(
        lambda: functions.create_function(
            FunctionName=stage.name,
            Runtime="python3.13",
            Role=role,
            Handler="index.handler",
            Code={"ZipFile": packed(CODE)},
            VpcConfig={
                "SubnetIds": stage.props["ignored_subnets"],
                "SecurityGroupIds": [_default_group(stage)],
            },
            Tags=stage.tag_map,
        ),
        "InvalidParameterValueException",  # "The role defined for the function cannot be assumed"
    )["FunctionArn"]
    active = stage.polling.until(lambda: _active(stage), ACTIVE_MINUTES, lambda _: None)
    if not active.holds:
        raise StackError(f"the rotation function {stage.name} is not active: {active.words}")
    functions.add_permission(
        FunctionName=stage.name,
        StatementId="acceptance",
        Action="lambda:InvokeFunction",
        Principal="secretsmanager.amazonaws.com",
        SourceAccount=stage.stack.account,
    )
    return made


def _active(stage: Stage) -> Seen:
    said = stage.client("lambda").get_function_configuration(FunctionName=stage.name)
    return Seen(said["State"] == "Active", f"{said['State']} {said.get('StateReason', '')}")


def _default_group(stage: Stage) -> str:
    filters = [
        {"Name": "vpc-id", "Values": [stage.props["ignored"]]},
        {"Name": "group-name", "Values": ["default"]},
    ]
    answer = stage.client("ec2").describe_security_groups(Filters=filters)
    return answer["SecurityGroups"][0]["GroupId"]


def packed(code: str) -> bytes:
    """The code as a zip file for CreateFunction, made in memory."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        file = zipfile.ZipInfo("index.py", STAMP)
        file.external_attr = 0o644 << 16  # Lambda must be able to read it
        archive.writestr(file, code)
    return content.getvalue()
