"""Each cause, reason and cure, word by word: `causes.json` has the texts that people read.

Whoever changes a sentence changes it there too, and so reads it once more.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from detect_bypass.judge import judge
from detect_bypass.judge.case import Inventory
from detect_bypass.judge.locations import CallerLocation
from guard.cloudtrail.record import parse
from tests.records import (
    ACCOUNT,
    ENDPOINT_DENIED,
    FOREIGN_ENDPOINT,
    OTHER_ACCOUNT,
    OWN_ENDPOINT,
    REGION,
    ROTATION_SUCCEEDED,
    changed,
    read,
    role,
)

TEXTS = json.loads(Path(__file__).with_name("causes.json").read_text())
AWAY = int(datetime(2026, 6, 1, 9, tzinfo=UTC).timestamp())
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:report"
IN_FUNCTION = {"issuerType": "AWS::Lambda::Function", "credentialsIssuedTo": FUNCTION}
BY_INSTANCE = role(session="i-0aaaaaaaaaaaaaaaa")
BROWSER, CLOUDSHELL = "Mozilla/5.0 (X11)", "aws-cli/2.31.0 exec-env/CloudShell"
CONSOLE = {"sessionCredentialFromConsole": "true"}


def place(via: str, **more: Any) -> CallerLocation:
    return CallerLocation(via=via, **more)


KNOWN = Inventory(
    accounts=frozenset({ACCOUNT}),
    own_endpoints=frozenset({OWN_ENDPOINT}),
    locations={
        "203.0.113.1": place(
            "NAT gateway nat-0a", vpc_id="vpc-0a", broken=True, trouble="its endpoint is failed"
        ),
        "203.0.113.2": place("NAT gateway nat-0b", vpc_id="vpc-0b", trouble="its endpoint works"),
        "203.0.113.3": place("NAT gateway nat-0c", vpc_id="vpc-0c"),
        "203.0.113.4": place("NAT gateway nat-0d", vpc_id="vpc-0d"),
        "203.0.113.5": place("Elastic IP address eipalloc-0e"),
        "i-0aaaaaaaaaaaaaaaa": place("instance i-0aaaaaaaaaaaaaaaa", vpc_id="vpc-0c"),
        FUNCTION: place("Function report"),
    },
    strangers=frozenset({"192.0.2.66"}),
    signed_in_from={"moved": "198.51.100.99"},
    guard_roles=frozenset({f"arn:aws:iam::{ACCOUNT}:role/guard"}),
    absences={"vpc-0d": range(AWAY, AWAY + 3_600)},
)
BLIND = Inventory(
    accounts=KNOWN.accounts, locations=KNOWN.locations, blind="AWS refuses ec2:DescribeSubnets"
)
HOST = {"clientProvidedHostHeader": f"secretsmanager-fips.{REGION}.amazonaws.com"}

CASES: dict[str, tuple[Any, Inventory]] = {
    "approved": (read(vpcEndpointId=OWN_ENDPOINT), KNOWN),
    "service": (ROTATION_SUCCEEDED, KNOWN),
    "the guard": (read(userIdentity=role("guard"), eventName="DescribeSecret"), KNOWN),
    "console": (read(**CONSOLE, userAgent=BROWSER), KNOWN),
    "console, moved": (read(**CONSOLE, userAgent=BROWSER, eventID="moved"), KNOWN),
    "denied": (ENDPOINT_DENIED, KNOWN),
    "denied by none": (changed(ENDPOINT_DENIED, vpcEndpointId=None), KNOWN),
    "foreign, owned": (
        read(vpcEndpointId=FOREIGN_ENDPOINT, vpcEndpointAccountId=OTHER_ACCOUNT),
        KNOWN,
    ),
    "foreign, public": (read(vpcEndpointId=FOREIGN_ENDPOINT), KNOWN),
    "foreign, private": (
        read(vpcEndpointId=FOREIGN_ENDPOINT, sourceIPAddress="10.0.0.9"),
        KNOWN,
    ),
    "unreadable": (read(userIdentity=5, sourceIPAddress=None), KNOWN),
    "nothing": (read(userIdentity=None, sourceIPAddress=None), KNOWN),
    "relayed": (
        read(userIdentity=role("flow", invokedBy="states.amazonaws.com")),
        KNOWN,
    ),
    "relayed by its host": (
        read(userIdentity=role("fleet"), sourceIPAddress="appstream.amazonaws.com"),
        KNOWN,
    ),
    "console credentials": (read(**CONSOLE), KNOWN),
    "console credentials in CloudShell": (read(**CONSOLE, userAgent=CLOUDSHELL), KNOWN),
    "used elsewhere": (read(userIdentity=BY_INSTANCE, sourceIPAddress="192.0.2.66"), KNOWN),
    "perhaps used elsewhere": (
        read(userIdentity=BY_INSTANCE, sourceIPAddress="192.0.2.67"),
        BLIND,
    ),
    "while the guard was away": (read(sourceIPAddress="203.0.113.4"), KNOWN),
    "a VPC whose endpoint is broken": (read(sourceIPAddress="203.0.113.1"), KNOWN),
    "a VPC whose endpoint works": (read(sourceIPAddress="203.0.113.2"), KNOWN),
    "a VPC whose endpoint works, by no name": (
        read(sourceIPAddress="203.0.113.2", tlsDetails=None),
        KNOWN,
    ),
    "a VPC": (read(sourceIPAddress="203.0.113.3"), KNOWN),
    "a VPC, by another name": (read(sourceIPAddress="203.0.113.3", tlsDetails=HOST), KNOWN),
    "another name": (read(tlsDetails=HOST), KNOWN),
    "in no VPC": (read(sourceIPAddress="203.0.113.5"), KNOWN),
    "a function": (read(userIdentity=role(inScopeOf=IN_FUNCTION)), KNOWN),
    "a function by its name": (
        read(userIdentity=role(session="job"), userAgent="Boto3 exec-env/AWS_Lambda_python3.13"),
        KNOWN,
    ),
    "a workload": (
        read(userIdentity=role(inScopeOf={"credentialsIssuedTo": "x", "issuerType": ""})),
        KNOWN,
    ),
    "a task": (
        read(
            userIdentity=role(
                inScopeOf={"credentialsIssuedTo": "arn:task", "issuerType": "AWS::ECS::Task"}
            )
        ),
        KNOWN,
    ),
    "an instance that is in no known VPC": (
        read(userIdentity=role(session="i-0bbbbbbbbbbbbbbbb"), sourceIPAddress="192.0.2.66"),
        KNOWN,
    ),
    "public": (read(), KNOWN),
    "public, not known": (read(), BLIND),
    "private": (read(sourceIPAddress="10.0.0.9"), KNOWN),
    "masked": (read(sourceIPAddress="HIDDEN_DUE_TO_SECURITY_REASONS"), KNOWN),
    "no address": (read(sourceIPAddress=None), KNOWN),
    "AWS's network": (read(sourceIPAddress="AWS Internal", userAgent="x"), KNOWN),
    "a change": (read(eventName="DeleteSecret"), KNOWN),
    "metadata": (read(eventName="ListSecrets", requestParameters=None), KNOWN),
    "refused": (read(errorCode="AccessDenied"), KNOWN),
    "bypass, moved": (read(eventID="moved"), KNOWN),
}


def said(name: str) -> dict[str, Any]:
    record, inventory = CASES[name]
    one = judge(parse(record), inventory)
    return {
        "verdict": str(one.verdict),
        "cause": one.cause,
        "reason": one.reason,
        "todo": list(one.todo),
    }


def test_each_text_is_of_a_case():
    assert TEXTS.keys() == CASES.keys()


@pytest.mark.parametrize("name", CASES)
def test_each_word(name: str):
    assert said(name) == TEXTS[name]
