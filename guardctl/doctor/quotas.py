"""The quotas that a deployment can meet, or the guard after it.

Needs lambda:GetAccountSettings, iam:GetAccountSummary, events:ListRules, ec2:DescribeVpcs,
ec2:DescribeVpcEndpoints, ec2:DescribeSecurityGroups and servicequotas:GetServiceQuota,
servicequotas:GetAWSDefaultServiceQuota.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from botocore.exceptions import BotoCoreError, ClientError

from guard.aws.errors import code_of
from guard.settings import endpoint_service
from guardctl import ROOT
from guardctl.doctor.lines import Line, State, asked
from guardctl.doctor.place import Place

TEMPLATE = ROOT / "template.yaml"

LAMBDA, ROLES, RULES = "Lambda concurrency", "IAM roles", "EventBridge rules"
ENDPOINTS, GROUPS = "interface endpoints per VPC", "security groups"

# Five queues with two copies of a function each, and some room for those that schedules start.
RUNS_AT_ONCE = 16


def quotas(place: Place, new: bool) -> list[Line]:
    """`new`: the stack is not there yet, so what it needs comes on top."""
    needed = resources_of(TEMPLATE.read_text(encoding="utf-8")) if new else Counter[str]()
    asks: list[tuple[str, str, Callable[[], Line]]] = [
        (LAMBDA, "lambda", lambda: _concurrency(place)),
        (ROLES, "iam", lambda: _roles(place, needed["AWS::IAM::Role"])),
        (RULES, "events", lambda: _rules(place, needed["AWS::Events::Rule"])),
    ]
    lines: list[Line] = []
    for check, service, ask in asks:
        lines += asked(check, service, lambda ask=ask: [ask()])
    return [*lines, *asked(ENDPOINTS, "ec2", lambda: _network(place))]


def resources_of(template: str) -> Counter[str]:
    """How many resources of each type a template can make, by its lines `    Type: ...`."""
    head = "    Type: "
    return Counter(
        line.removeprefix(head).strip() for line in template.splitlines() if line.startswith(head)
    )


def judge_concurrency(limit: int) -> Line:
    """A new account's limit is 10, and every function in the Region shares it."""
    if limit >= RUNS_AT_ONCE:
        return Line(LAMBDA, State.OK, f"{limit} for all functions of the Region together")
    do = (
        "ask for more: aws service-quotas request-service-quota-increase --service-code lambda"
        " --quota-code L-B99A9384 --desired-value 1000"
    )
    text = f"only {limit} for all functions of the Region: at busy times the guard has to wait"
    return Line(LAMBDA, State.WARN, text, do)


def judge_room(check: str, used: int, needed: int, quota: int | None) -> Line:
    """Whether what the stack makes finds room."""
    if quota is None:
        return Line(
            check, State.UNKNOWN, f"{used} in use, {needed} more needed; the quota cannot be read"
        )
    if used + needed <= quota:
        return Line(check, State.OK, f"{used} of {quota} in use, {needed} more needed")
    text = f"{used} of {quota} in use, and {needed} more needed: the deployment would fail"
    return Line(
        check, State.STOP, text, "ask for more in the Service Quotas console, or delete some"
    )


def judge_endpoints(per_vpc: Mapping[str, int], served: Collection[str], quota: int | None) -> Line:
    """VPCs that have no endpoint for Secrets Manager, and no room for one."""
    most = max(per_vpc.values(), default=0)
    if quota is None:
        return Line(ENDPOINTS, State.UNKNOWN, f"{most} at most in use; the quota cannot be read")
    full = sorted(vpc for vpc, used in per_vpc.items() if used >= quota and vpc not in served)
    if not full:
        return Line(ENDPOINTS, State.OK, f"{most} of {quota} at most in use")
    do = "ask for more (Service Quotas, VPC, L-29B6F2EB), or tag them vpce-guard:ignore"
    return Line(ENDPOINTS, State.WARN, f"all {quota} are in use in {', '.join(full)}", do)


def _concurrency(place: Place) -> Line:
    answer = place.client("lambda").get_account_settings()
    return judge_concurrency(int(answer["AccountLimit"]["ConcurrentExecutions"]))


def _roles(place: Place, needed: int) -> Line:
    summary = place.client("iam").get_account_summary()["SummaryMap"]
    return judge_room(ROLES, int(summary["Roles"]), needed, int(summary["RolesQuota"]))


def _rules(place: Place, needed: int) -> Line:
    pages = place.client("events").get_paginator("list_rules").paginate()
    used = sum(len(page["Rules"]) for page in pages)
    return judge_room(RULES, used, needed, _quota(place, "events", "L-244521F2"))


def _network(place: Place) -> Sequence[Line]:
    ec2 = place.client("ec2")
    service = endpoint_service(place.region)
    per_vpc: Counter[str] = Counter()
    served: set[str] = set()
    for page in ec2.get_paginator("describe_vpc_endpoints").paginate():
        for one in page["VpcEndpoints"]:
            per_vpc[one["VpcId"]] += one.get("VpcEndpointType") == "Interface"
            if one["ServiceName"] == service:
                served.add(one["VpcId"])
    vpcs = {
        one["VpcId"]
        for page in ec2.get_paginator("describe_vpcs").paginate()
        for one in page["Vpcs"]
    }
    groups = sum(
        len(page["SecurityGroups"])
        for page in ec2.get_paginator("describe_security_groups").paginate(
            PaginationConfig={"PageSize": 1000}
        )
    )
    lines = [judge_endpoints(per_vpc, served, _quota(place, "vpc", "L-29B6F2EB"))]
    room = judge_room(GROUPS, groups, len(vpcs - served), _quota(place, "vpc", "L-E79EC296"))
    if room.state is State.STOP:  # the stack itself makes none: only the guard would be refused
        text = room.text.replace("the deployment", "some of them")
        room = Line(GROUPS, State.WARN, text, room.do)
    return [*lines, room]


def _quota(place: Place, service: str, code: str) -> int | None:
    """The value in force, or the default where there is no other; None if it cannot be read."""
    client = place.client("service-quotas")
    for ask in (client.get_service_quota, client.get_aws_default_service_quota):
        try:
            return int(ask(ServiceCode=service, QuotaCode=code)["Quota"]["Value"])
        except ClientError as error:
            if code_of(error) != "NoSuchResourceException":
                return None
        except BotoCoreError:
            return None
    return None
