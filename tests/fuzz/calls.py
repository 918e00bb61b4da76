"""Records of requests to Secrets Manager, as CloudTrail's types allow them, and their judgement."""

import copy
import random
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from detect_bypass.judge import SECRETS_MANAGER, CallerLocation, Inventory, judge
from detect_bypass.judge.exceptions import parse as exceptions
from guard.cloudtrail.policy_request import request_of
from guard.cloudtrail.record import UnreadableRecord, parse
from guardctl.replay.judging import row_of
from tests.builders import NOON
from tests.fuzz.mutate import ODD, samples

OWN, STRANGER = "111122223333", "999900001111"
ROLE = f"arn:aws:iam::{OWN}:role"
SESSION = f"arn:aws:sts::{OWN}:assumed-role"
SECRET = f"arn:aws:secretsmanager:eu-west-1:{OWN}:secret"
INVENTORY = Inventory(
    accounts=frozenset({OWN}),
    approved_endpoints=frozenset({"vpce-0a1b2c3d4e5f60718"}),
    approved_accounts=frozenset({"444455556666"}),
    guard_roles=frozenset({f"{ROLE}/guard"}),
    locations={
        "203.0.113.10": CallerLocation(via="NAT gateway nat-1", vpc_id="vpc-1"),
        "i-0123456789abcdef0": CallerLocation(via="instance i-0", vpc_id="vpc-2", broken=True),
        f"arn:aws:lambda:eu-west-1:{OWN}:function:roams": CallerLocation(via="a function"),
    },
    strangers=frozenset({"198.51.100.7"}),
)
EXCEPTIONS = exceptions(
    {
        "exceptions": [
            {"name": name, "owner": "o", "reason": "r", "expires": expires, **what}
            for name, expires, what in (
                ("role", f"{NOON:%Y-%m-%d}", {"principal": f"{ROLE}/ci-*"}),
                ("session", "2030-01-01", {"principal": f"{SESSION}/x/i-*", "action": "Get*"}),
                ("network", "2030-01-01", {"cidr": "192.0.2.0/24", "account": OWN}),
                ("secret", "2030-01-01", {"secret": [f"{SECRET}:prod/*", "n", "plain"]}),
                ("endpoint", "2030-01-01", {"endpoint": "vpce-0ffff*"}),
            )
        ]
    }
)

# No text of few digits: in a table it is an account's id that CloudTrail wrote as a number.
_TEXTS = ("", " ", "x", "*", "arn", "arn:aws:iam::1:", "\U0001f511", "x/y z", "null", "{", "0x")
_HOSTS = tuple(
    f"{one}.eu-west-1.amazonaws.com"
    for one in ("secretsmanager", "secretsmanager-fips", "vpce-0a1b.secretsmanager")
)
AGENTS = (
    "Mozilla/5.0 (X11)",
    "aws-cli/2.1 exec-env/CloudShell",
    "Boto3/1 exec-env/AWS_Lambda_python3.13 md/x",
    "[S3Console/0.4, aws-internal/3 aws-sdk-java]",
    "aws-internal/3 aws-sdk-java/1.12",
    "AWS-Console/1",
    "AWSConsole",
    "AWS Internal",
    "AWS Internal; ",
    "aws internal/1",
    "cloudformation.amazonaws.com",
    "secretsmanager.amazonaws.com;",
    "curl/8",
    "my agent",
)
POOLS: Mapping[tuple[str, ...], tuple[Any, ...]] = {
    ("eventName",): (
        *(
            "GetSecretValue",
            "BatchGetSecretValue",
            "ListSecrets",
            "DescribeSecret",
            "PutSecretValue",
        ),
        *("UpdateSecretVersionStage", "RotateSecret", "GetResourcePolicy", "RotationFailed"),
    ),
    ("awsRegion",): ("eu-west-1", "us-east-1", "cn-north-1"),
    ("recipientAccountId",): (OWN, STRANGER, 12345678901),
    ("eventType",): ("AwsApiCall", "AwsServiceEvent", "AwsConsoleAction", "AwsVpceEvent"),
    ("eventCategory",): ("Management", "NetworkActivity"),
    ("errorCode",): ("AccessDenied", "VpceAccessDenied", "ResourceNotFoundException"),
    ("sourceIPAddress",): (
        *("203.0.113.10", "198.51.100.7", "192.0.2.4", "10.0.0.1", "2001:db8::1", "AWS Internal"),
        *("states.amazonaws.com", "cloudformation.amazonaws.com", "HIDDEN", "signin.amazonaws.com"),
    ),
    ("userAgent",): AGENTS,
    ("vpcEndpointId",): (
        *("vpce-0a1b2c3d4e5f60718", "vpce-0ffff", "AWS Internal", "ec2.amazonaws.com"),
    ),
    ("vpcEndpointAccountId",): (OWN, STRANGER, "444455556666", 12345678901, "amazon"),
    ("sessionCredentialFromConsole",): ("true", True, "false", "maybe"),
    ("userIdentity", "type"): (
        *("AssumedRole", "IAMUser", "Root", "AWSService", "AWSAccount", "IdentityCenterUser"),
        "FederatedUser",
    ),
    ("userIdentity", "arn"): (
        *(f"{SESSION}/x/i-0123456789abcdef0", f"{SESSION}/ci-1/run", f"{SESSION}/x/function"),
        *(f"arn:aws:iam::{OWN}:user/u", "arn:aws-cn:iam::1:user/u"),
    ),
    ("userIdentity", "principalId"): ("AROAX:i-0123456789abcdef0", "AROAX:run", "AIDAX"),
    ("userIdentity", "accountId"): (OWN, STRANGER, 12345678901),
    ("userIdentity", "userName"): ("u", "x"),
    ("userIdentity", "accessKeyId"): ("AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE"),
    ("userIdentity", "invokedBy"): (
        *("states.amazonaws.com", "cloudformation.amazonaws.com", "signin.amazonaws.com"),
        *("AWS Internal", "ssm.amazonaws.com"),
    ),
    ("userIdentity", "sessionContext", "sessionIssuer", "arn"): (
        *(f"{ROLE}/ci-1", f"{ROLE}/guard", f"{ROLE}/aws-service-role/x.amazonaws.com/y"),
        f"{ROLE}/aws-reserved/sso.amazonaws.com/AWSReservedSSO_a",
    ),
    ("userIdentity", "sessionContext", "sessionIssuer", "userName"): ("x", "guard"),
    ("userIdentity", "inScopeOf", "issuerType"): ("AWS::Lambda::Function", "AWS::EC2::Instance"),
    ("userIdentity", "inScopeOf", "sourceArn"): (
        f"arn:aws:lambda:eu-west-1:{OWN}:function:roams",
        "i-0123456789abcdef0",
    ),
    ("userIdentity", "inScopeOf", "credentialsIssuedTo"): ("x", "y"),
    ("tlsDetails", "clientProvidedHostHeader"): tuple(
        f"{one}.eu-west-1.amazonaws.com" for one in _HOSTS
    ),
    ("resources",): (
        [],
        [{"type": "AWS::SecretsManager::Secret", "ARN": f"{SECRET}:prod/a-AbCdEf"}],
        [{"type": "AWS::SecretsManager::Secret", "ARN": f"{SECRET}:{one}-AbCdEf"} for one in "ab"],
        [{"type": "AWS::KMS::Key", "ARN": "k"}, {"type": "AWS::SecretsManager::Secret"}],
        [{"ARN": "k"}],
    ),
}
_NAMES = (f"{SECRET}:prod/a-AbCdEf", f"{SECRET}:prod/a", "n", "plain", "other")
# Any type may stand in what a table has as the text of its JSON, but for what JSON itself says
# differently from one library to the next.
_ANY = tuple(one for one in ODD if one not in (10**30, "\ud800", "\x00\u202e\u0007"))
MEMBERS: Mapping[tuple[str, ...], tuple[Any, ...]] = {
    ("requestParameters", "secretId"): _NAMES,
    ("requestParameters", "secretIdList"): (["n", "plain"], [{"content": "n"}], {"items": ["n"]}),
    ("requestParameters", "name"): _NAMES,
    ("requestParameters", "versionId"): ("1-2-3",),
    ("requestParameters", "versionStage"): ("AWSPENDING", "AWSCURRENT"),
    ("requestParameters", "versionStages"): (["AWSPENDING"], ["AWSCURRENT"]),
    ("requestParameters", "kmsKeyId"): ("alias/k",),
    ("requestParameters", "recoveryWindowInDays"): (7, 30),
    ("requestParameters", "forceDeleteWithoutRecovery"): (True, False, "true"),
    ("requestParameters", "rotationLambdaARN"): ("arn:aws:lambda:x",),
    ("requestParameters", "blockPublicPolicy"): (True, False),
    ("responseElements", "arn"): _NAMES,
    ("responseElements", "aRN"): _NAMES,
    ("responseElements", "ARN"): _NAMES,
    ("additionalEventData", "SecretId"): _NAMES,
    ("additionalEventData", "ARN"): _NAMES,
    ("additionalEventData", "Name"): _NAMES,
}


def calls(chance: random.Random, number: int) -> Iterator[dict[str, Any]]:
    """So many records, many of them equal in all that a judgement reads."""
    known = recorded()
    while number > 0:
        record = copy.deepcopy(chance.choice(known))
        _complete(record)
        for _ in range(chance.choice((0, 1, 3, 6, 15))):
            _change(chance, record)
        for _ in range(same := chance.randint(1, min(4, number))):
            yield _another(chance, record)
        number -= same


def recorded() -> list[dict[str, Any]]:
    """The samples that are records of Secrets Manager."""
    details = (one.get("detail", {}) for one in samples("events"))
    return [one for one in details if one.get("eventSource") == SECRETS_MANAGER]


def said(detail: Mapping[str, Any]) -> Any:
    """All that the judgement and the preflight read out of a record, but for its time and id."""
    try:
        record = parse(detail)
    except UnreadableRecord as error:
        return str(error)
    judgement = judge(record, INVENTORY, EXCEPTIONS)
    row = row_of(record, judgement)
    asked = [request_of(record, assumed=one, org_of={OWN: "o-1"}) for one in (True, False)]
    return repr(
        (
            {key: one for key, one in row.items() if key not in ("event_id", "event_time")},
            (judgement.reason, judgement.todo, judgement.predicates, judgement.exemption),
            (judgement.expired, judgement.vpc_id, judgement.broken, judgement.roams),
            [
                (one.action, one.resource, sorted(one.principals or ()), _without(one.context))
                for one in asked
            ],
        )
    )


def _without(context: Mapping[str, Any]) -> list[tuple[str, Any]]:
    times = ("aws:CurrentTime", "aws:EpochTime")
    return sorted((key, value) for key, value in context.items() if key not in times)


def put(record: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    *outer, name = path
    for step in outer:
        if not isinstance(record.get(step), dict):
            record[step] = {}
        record = record[step]
    record[name] = copy.deepcopy(value)


def _complete(record: dict[str, Any]) -> None:
    """Empty texts where objects should be: a table has none there."""
    for name in ("requestParameters", "responseElements", "additionalEventData"):
        if not isinstance(record.get(name), dict):
            record.pop(name, None)


def _change(chance: random.Random, record: dict[str, Any]) -> None:
    if chance.random() < 0.3:
        path = chance.choice(sorted(MEMBERS))
        put(record, path, chance.choice((*MEMBERS[path], chance.choice(_ANY))))
        return
    path = chance.choice(sorted(POOLS))
    some: tuple[Any, ...] = (*POOLS[path], None)
    if path != ("resources",):
        some += (chance.choice(_TEXTS),)
    put(record, path, chance.choice(some))


def _another(chance: random.Random, record: dict[str, Any]) -> dict[str, Any]:
    """The same request once more, at another time within two days, in another session."""
    when = NOON + timedelta(seconds=chance.randint(-100_000, 100_000))
    again = copy.deepcopy(record)
    again["eventTime"] = f"{when:%Y-%m-%dT%H:%M:%SZ}"
    again["eventID"] = f"{chance.getrandbits(64):016x}"
    again["requestID"] = f"{chance.getrandbits(64):016x}"
    put(again, ("userIdentity", "sessionContext", "attributes", "creationDate"), again["eventTime"])
    return again
