"""No secret's value and no token reaches a log, a finding, Slack or the state table.

They are planted wherever somebody could put one, in values that exist nowhere else, and everything
that left the guard is searched for them.
"""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from moto.dynamodb.models import dynamodb_backends

from emulator import Caller, Cloud
from tests.reactions.account import ALLOW_ALL, Account, kinds
from tests.reactions.stories import bring_endpoint

PLANT = "Pl4nt3d"


def plant(number: int) -> str:
    return f"{PLANT}{number}Value"


TOKEN = f"xoxb-222222222222-333333333333-{plant(0)}"
JWT = f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ{plant(1)}.c2lnbmF0dXJl"
IN_ERROR = f"1 validation error detected: Value '{plant(2)}' at 'secretString' failed"
WEBHOOK = f"http://hooks.slack.example/services/T0/B0/{plant(3)}"
# Values that are no unbroken words, in forms that AWS, tools and people write.
AT = "at 'secretString' failed to satisfy constraint: Member must have length at most 65536"
INNER = json.dumps({"user": plant(6), "pin": f"it's {plant(6)}"})
BROKEN = {
    "apostrophe": f"1 validation error detected: Value 'it's-{plant(6)}' {AT}",
    "spaces": f'SecretString: "correct horse {plant(6)}"',
    "JSON in AWS's words": f"1 validation error detected: Value '{INNER}' {AT}",
    "JSON in a text": json.dumps({"SecretString": INNER}),
    "JSON in JSON": json.dumps({"body": json.dumps({"password": f"a {plant(6)}"})}),
    "JSON in JSON in JSON": json.dumps(
        {"body": json.dumps({"b": json.dumps({"password": INNER})})}
    ),
    "cut off": f"1 validation error detected: Value 'correct horse {plant(6)}",
    "a query": f"GET /?X-Amz-Security-Token={plant(6)}%2F{plant(6)}&X-Amz-Date=1",
    "a hyphen": f"api-key={plant(6)}, access-token: {plant(6)}",
    "an option": f"--secret-string '{INNER}'",
    "a workflow": f"https://hooks.slack.com/workflows/T0/A0/1/{plant(6)}",
    "a trigger": f"https://hooks.slack.com/triggers/T0/1/{plant(6)}",
}


def left(cloud: Cloud) -> Iterator[tuple[str, str]]:
    """Everything that left the guard, with where it went."""
    for run in cloud.invocations:
        for line in (*run.output, run.error or "", run.trace, json.dumps(run.result)):
            yield f"log of {run.function}", line
    for call in cloud.calls:
        if call.function and call.service == "sns":
            yield f"message of {call.function}", json.dumps(call.params, default=str)
    for message in cloud.slack.messages:
        yield "Slack", json.dumps(message)
    for table in dynamodb_backends[cloud.account][cloud.region].tables.values():
        for item in table.all_items():
            yield "table", json.dumps(item.to_json())


def leaks(cloud: Cloud) -> list[tuple[str, str]]:
    return [(where, text) for where, text in left(cloud) if PLANT in text]


def record(cloud: Cloud, **changes: Any) -> dict[str, Any]:
    """The envelope of a read over the internet, changed."""
    secret = Account(cloud).secret("prod/db")
    caller = cloud.session("mallory", Caller(source_ip="198.51.100.7")).client("secretsmanager")
    caller.get_secret_value(SecretId=secret)
    detail = json.loads(json.dumps(cloud.records[-1]))
    cloud.lose_events()
    return {
        "version": "0",
        "id": "planted",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.secretsmanager",
        "account": cloud.account,
        "time": detail["eventTime"],
        "region": cloud.region,
        "resources": [],
        "detail": {**detail, **changes},
    }


def test_the_search_finds_what_did_leak(cloud):
    """A plant in what must be published, the caller's name: it is found in both."""
    arn = Account(cloud).secret("prod/db")
    cloud.lose_events()
    caller = cloud.session(plant(9), Caller(source_ip="198.51.100.7"))
    caller.client("secretsmanager").get_secret_value(SecretId=arn)
    cloud.settle()
    places = {where.split()[0] for where, _ in leaks(cloud)}
    assert {"message", "Slack"} <= places


@pytest.mark.parametrize(
    "changes",
    [
        {"requestParameters": {"secretId": "prod/db", "secretString": plant(4)}},
        {"responseElements": {"aRN": "arn", "secretString": plant(4)}},
        {"responseElements": {"secretString": {"deep": [plant(4)]}}},
        {"additionalEventData": {"note": plant(4)}},
        {"serviceEventDetails": {"note": plant(4)}},
        {"errorCode": "ValidationException", "errorMessage": IN_ERROR},
        {"errorCode": "AccessDenied", "errorMessage": f"password={plant(4)} is wrong"},
        {"userAgent": f"app/1.0 {TOKEN}"},
        {"userAgent": f"app/1.0 token {JWT}"},
        {"requestParameters": plant(4)},
        {"requestParameters": {"secretId": {"value": plant(4)}}},
        {"eventTime": None, "requestParameters": {"secretString": plant(4)}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_a_record_holds_is_not_repeated(cloud, changes):
    cloud.inject(record(cloud, **changes))
    cloud.settle()
    assert leaks(cloud) == []
    assert kinds(cloud)  # it was published, without the plant


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_value_that_is_no_word_is_not_repeated_either(cloud, text):
    """Where what a record says is published: in a refusal's message, and in the caller's agent."""
    cloud.inject(record(cloud, errorCode="ValidationException", errorMessage=text, userAgent=text))
    cloud.settle()
    assert leaks(cloud) == []
    assert any("[redacted]" in published for _, published in left(cloud))


@pytest.mark.parametrize("text", [BROKEN["apostrophe"], BROKEN["JSON in JSON"]])
def test_a_value_that_is_no_word_in_a_functions_error(cloud, text):
    """AWS's words as boto3 raises them: in logs, in the trace, in what ops are notified."""
    planned = [
        cloud.fault(
            service, action, "ValidationException", times=6, function=function, message=text
        )
        for function, service, action in CALLS
    ]
    account = Account(cloud)
    account.vpc_with_subnets()
    cloud.fire_schedule()
    cloud.settle()
    assert leaks(cloud) == []
    assert [one for one in planned if one.times < 6]
    assert any("[redacted]" in published for _, published in left(cloud))


@pytest.mark.parametrize("name", ["api-key=thing", "password=x"])
def test_who_acted_is_published_as_it_is_spelled(cloud, name):
    """Who chooses a session's name must not be able to hide it."""
    way = Caller(kind="role", source_ip="198.51.100.7", session=name)
    arn = Account(cloud).secret("prod/db")
    cloud.lose_events()
    cloud.session("app", way).client("secretsmanager").get_secret_value(SecretId=arn)
    cloud.settle()
    (bypass,) = [one for one in cloud.findings if one["kind"] == "bypass"]
    assert name in json.dumps(bypass)
    assert name in json.dumps(cloud.slack.messages)


def test_a_token_as_a_sessions_name_is_not_repeated(cloud):
    way = Caller(kind="role", source_ip="198.51.100.7", session=TOKEN)
    arn = Account(cloud).secret("prod/db")
    cloud.lose_events()
    cloud.session("app", way).client("secretsmanager").get_secret_value(SecretId=arn)
    cloud.settle()
    assert leaks(cloud) == []
    assert "bypass" in kinds(cloud)


def test_the_agent_of_who_changes_a_policy_is_not_repeated(cloud):
    account = Account(cloud)
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()
    (endpoint,) = account.endpoints(vpc_id)
    tamperer = cloud.session("mallory", Caller(user_agent=f"tool/1.0 {TOKEN}")).client("ec2")
    tamperer.modify_vpc_endpoint(
        VpcEndpointId=endpoint["VpcEndpointId"], PolicyDocument=json.dumps(ALLOW_ALL)
    )
    cloud.settle()
    assert leaks(cloud) == []
    assert "policy-restored" in kinds(cloud)


CALLS = [
    ("EnsureEndpointFunction", "ec2", "CreateVpcEndpoint"),
    ("EnsureEndpointFunction", "ec2", "DescribeVpcs"),
    ("EnsureEndpointFunction", "ssm", "GetParameter"),
    ("RestorePolicyFunction", "dynamodb", "UpdateItem"),
    ("RestorePolicyFunction", "sns", "PublishBatch"),
    ("SweepFunction", "ec2", "DescribeVpcEndpoints"),
    ("SecretPolicyFunction", "secretsmanager", "ListSecrets"),
    ("NotifySlackFunction", "ssm", "GetParameter"),
]


@pytest.mark.parametrize("error", ["InternalFailure", "AccessDeniedException"])
def test_what_aws_says_of_an_error_is_not_repeated_as_it_is(cloud, error):
    """Errors and exceptions of every function, with a plant in AWS's words."""
    planned = [
        cloud.fault(service, action, error, times=6, function=function, message=IN_ERROR)
        for function, service, action in CALLS
    ]
    account = Account(cloud)
    account.vpc_with_subnets()
    bring_endpoint(account, account.vpc_with_subnets()[0])
    cloud.fire_schedule()
    cloud.settle()
    assert leaks(cloud) == []
    hit = {one.function for one in planned if one.times < 6}
    assert hit == {function for function, _, _ in CALLS}
    assert any("[redacted]" in text for _, text in left(cloud))


def test_slacks_secret_is_in_no_log_whatever_is_wrong_with_it(cloud):
    """An address that is refused, one whose host is not there, and a token in the wrong place."""
    ssm = Account(cloud).client("ssm")
    for value in (WEBHOOK, f"https://127.0.0.1:1/services/T0/B0/{plant(5)}", TOKEN):
        ssm.put_parameter(
            Name="/vpce-guard/slack-webhook", Value=value, Type="SecureString", Overwrite=True
        )
        cloud.clock.skip(301)
        cloud.ring_alarm("VpcDeadLetterAlarm")
        cloud.pass_time(timedelta(minutes=45))  # until it is given up, and not put back yet
    assert leaks(cloud) == []
    assert any(run.function == "NotifySlackFunction" for run in cloud.invocations)
