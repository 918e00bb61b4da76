"""One occurrence is one alert: what becomes a finding, and which findings are the same."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given

from detect_bypass.findings import collapse, findings, fingerprint, unreadable
from detect_bypass.judge import Inventory, judge
from detect_bypass.records import once
from guard.cloudtrail.evidence import principal
from guard.cloudtrail.record import Record, UnreadableRecord, parse
from guard.findings.finding import Finding, Kind, Severity
from tests.damage import damaged
from tests.records import (
    ACCOUNT,
    ENDPOINT_DENIED,
    FOREIGN_ENDPOINT,
    OTHER_ACCOUNT,
    OWN_ENDPOINT,
    SECRET,
    changed,
    read,
    role,
)

HOUR = 3600
INVENTORY = Inventory(accounts=frozenset({ACCOUNT}), own_endpoints=frozenset({OWN_ENDPOINT}))


def told(*records: dict[str, Any]) -> list[Finding]:
    """The findings of a batch with these records."""
    kept = [call.record for call in once([parse(record) for record in records])]
    return collapse([f for r in kept for f in findings(r, judge(r, INVENTORY), window=3600)])


def nth(number: int, **fields: Any) -> dict[str, Any]:
    """A read with an event id of its own."""
    return read(eventID=f"3f0c1a52-0000-4000-8000-{number:012d}", **fields)


def test_a_bypass():
    (finding,) = told(read())
    assert (finding.kind, finding.severity, finding.account) == (
        Kind.BYPASS,
        Severity.HIGH,
        ACCOUNT,
    )
    assert finding.resource == f"arn:aws:iam::{ACCOUNT}:user/alice"
    assert finding.title == "GetSecretValue by user/alice bypassed the VPC endpoint"
    assert finding.evidence["secrets"] == [SECRET]
    assert finding.evidence["addresses"] == ["198.51.100.7"]
    assert finding.window == 3600
    assert finding.links["CloudTrail event"].endswith("3f0c1a52-2222-4222-8222-000000000001")


def test_a_refused_bypass_says_that_it_was_blocked():
    (finding,) = told(read(errorCode="AccessDenied", errorMessage="no"))
    assert finding.title.startswith("Blocked: ")
    assert finding.severity is Severity.MEDIUM


def test_through_our_endpoint_there_is_nothing_to_tell():
    assert told(read(vpcEndpointId=OWN_ENDPOINT)) == []


def test_a_foreign_endpoint_is_the_resource():
    (finding,) = told(read(vpcEndpointId=FOREIGN_ENDPOINT))
    assert (finding.kind, finding.resource) == (Kind.FOREIGN_ENDPOINT, FOREIGN_ENDPOINT)
    assert "Endpoint" not in finding.links  # it is in nobody's console that we know


def test_a_refusal_at_our_endpoint():
    (finding,) = told(ENDPOINT_DENIED)
    assert (finding.kind, finding.resource) == (Kind.ENDPOINT_DENIED, OWN_ENDPOINT)
    assert finding.title == (
        f"{OWN_ENDPOINT} refused GetSecretValue by AROAEXAMPLE0000000000:session"
    )
    assert finding.evidence["error"] == "VpceAccessDenied"


def test_a_changed_secret_policy_is_told_whichever_way_it_came():
    change = nth(1, eventName="PutResourcePolicy", vpcEndpointId=OWN_ENDPOINT)
    (finding,) = told(change)
    assert (finding.kind, finding.resource) == (Kind.SECRET_POLICY_CHANGED, SECRET)
    assert finding.cause.startswith(f"arn:aws:iam::{ACCOUNT}:user/alice called PutResourcePolicy.")
    kinds = {finding.kind for finding in told(changed(change, vpcEndpointId=...))}
    assert kinds == {Kind.SECRET_POLICY_CHANGED, Kind.BYPASS}


def test_a_policy_that_could_not_be_changed_is_no_change():
    failed = read(eventName="DeleteResourcePolicy", errorCode="AccessDenied")
    assert [finding.kind for finding in told(failed)] == [Kind.BYPASS]


def test_policy_changes_are_gathered_by_caller_and_secret():
    one = nth(1, eventName="PutResourcePolicy", vpcEndpointId=OWN_ENDPOINT)
    (finding,) = told(one, nth(2, eventName="DeleteResourcePolicy", vpcEndpointId=OWN_ENDPOINT))
    assert finding.count == 2
    other = nth(
        3,
        eventName="PutResourcePolicy",
        vpcEndpointId=OWN_ENDPOINT,
        requestParameters={"secretId": "other"},
    )
    by_another = changed(one, userIdentity=role(), eventID="e")
    assert len(told(one, other, by_another)) == 3


def policy_set(*statements: dict[str, Any], **fields: Any) -> Finding:
    text = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    request = {"secretId": SECRET, "resourcePolicy": text}
    record = {
        "eventName": "PutResourcePolicy",
        "vpcEndpointId": OWN_ENDPOINT,
        "requestParameters": request,
        **fields,
    }
    (finding,) = told(read(**record))
    return finding


def allow(principal: Any, **more: Any) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": principal,
        "Action": "secretsmanager:GetSecretValue",
        "Resource": "*",
        **more,
    }


OF_OUR_OWN = {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}
OF_ORGANIZATION = {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}
FROM_OFFICE = {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
DENY_ALL = {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}


@pytest.mark.parametrize(
    ("statements", "severity", "words"),
    [
        ([allow("*")], "high", "everybody may read"),
        ([allow({"AWS": "*"})], "high", "everybody may read"),
        ([allow("*", Action="secretsmanager:*")], "high", "everybody may read"),
        ([allow("*", Action="*")], "high", "everybody may read"),
        ([allow("*", Action="secretsmanager:BatchGetSecretValue")], "high", "everybody"),
        ([allow({"AWS": OTHER_ACCOUNT})], "high", f"{OTHER_ACCOUNT} may read"),
        ([allow({"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:role/x"})], "high", "role/x may read"),
        (
            [allow({"AWS": OTHER_ACCOUNT}, Condition=OF_ORGANIZATION)],
            "medium",
            "under its conditions",
        ),
        (
            [allow("*", Condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}})],
            "medium",
            "under",
        ),
        ([allow("*", Condition=OF_OUR_OWN)], "low", "called PutResourcePolicy."),
        ([allow("*", Condition=OF_ORGANIZATION)], "low", "called PutResourcePolicy."),
        ([allow({"AWS": f"arn:aws:iam::{ACCOUNT}:role/app"})], "low", "called"),
        ([allow({"Service": "rds.amazonaws.com"})], "low", "called"),
        ([allow("*", Action="secretsmanager:DescribeSecret")], "low", "called"),
        ([allow("*", Resource=SECRET.replace("prod", "test"))], "low", "called"),
        ([allow("*"), DENY_ALL], "low", "called"),
        ([DENY_ALL], "low", "called"),
    ],
)
def test_a_policy_weighs_what_it_decides(statements: Any, severity: str, words: str):
    finding = policy_set(*statements)
    assert finding.severity == severity
    assert words in finding.cause


@pytest.mark.parametrize(
    "request_",
    [
        {"secretId": SECRET},
        {"secretId": SECRET, "resourcePolicy": "{"},
        {"secretId": SECRET, "resourcePolicy": {"Statement": []}},
        {"omitted": True, "originalSize": 120_000, "reason": "requestParameters too large"},
        None,
    ],
)
def test_a_policy_that_the_record_does_not_hold_is_not_taken_for_harmless(request_: Any):
    record = read(
        eventName="PutResourcePolicy", vpcEndpointId=OWN_ENDPOINT, requestParameters=request_
    )
    (finding,) = told(record)
    assert finding.severity == "medium"
    assert "not known" in finding.cause


def test_an_account_of_ours_is_no_stranger():
    text = json.dumps({"Statement": [allow({"AWS": OTHER_ACCOUNT})]})
    record = parse(
        read(
            eventName="PutResourcePolicy",
            vpcEndpointId=OWN_ENDPOINT,
            requestParameters={"secretId": SECRET, "resourcePolicy": text},
        )
    )
    judgement = judge(record, INVENTORY)
    (finding,) = findings(record, judgement, HOUR, own_accounts={OTHER_ACCOUNT})
    assert finding.severity == "low"


def test_a_graver_policy_is_published_though_a_harmless_one_was():
    harmless, open_ = policy_set(DENY_ALL), policy_set(allow("*"))
    assert harmless.fingerprint == open_.fingerprint
    assert set(open_.graver) > set(harmless.graver)


REGIONS = [{"region": "eu-central-1"}, {"region": "us-east-1", "kmsKeyId": "k"}]


@pytest.mark.parametrize(
    ("name", "request_", "where"),
    [
        (
            "ReplicateSecretToRegions",
            {"secretId": SECRET, "addReplicaRegions": REGIONS},
            "eu-central-1, us-east-1",
        ),
        ("ReplicateSecretToRegions", {"secretId": SECRET}, "a Region the record does not name"),
        ("CreateSecret", {"name": "prod/new", "addReplicaRegions": REGIONS}, "eu-central-1"),
    ],
)
def test_a_copy_in_another_region_is_published(name: str, request_: Any, where: str):
    record = read(eventName=name, vpcEndpointId=OWN_ENDPOINT, requestParameters=request_)
    (finding,) = told(record)
    assert (finding.kind, finding.severity) == (Kind.SECRET_REPLICATED, "medium")
    assert where in finding.title
    assert "where the guard of eu-west-1 sees nothing" in finding.cause


@pytest.mark.parametrize(
    "fields",
    [
        {"eventName": "CreateSecret", "requestParameters": {"name": "prod/new"}},
        {"eventName": "CreateSecret", "requestParameters": {"name": "n", "addReplicaRegions": []}},
        {"eventName": "RemoveRegionsFromReplication"},
        {"eventName": "ReplicateSecretToRegions", "errorCode": "AccessDenied"},
    ],
)
def test_what_copies_nothing_is_no_copy(fields: dict[str, Any]):
    kinds = {finding.kind for finding in told(read(**fields))}
    assert Kind.SECRET_REPLICATED not in kinds


def test_a_batch_read_and_its_single_reads_are_one_alert():
    filters = {"filters": [{"key": "name", "values": ["prod/"]}]}
    batch = nth(1, eventName="BatchGetSecretValue", requestParameters=filters)
    singles = [nth(n, requestParameters={"secretId": f"prod/{n}"}) for n in (2, 3)]
    (finding,) = told(batch, *singles)
    assert finding.count == 3
    assert finding.evidence["secrets"] == ["prod/2", "prod/3"]
    assert finding.evidence["actions"] == ["BatchGetSecretValue", "GetSecretValue"]
    assert len(finding.evidence["events"]) == 3


def test_the_same_event_twice_counts_once():
    (finding,) = told(nth(1), nth(1))
    assert finding.count == 1


def test_events_without_id_each_count():
    (finding,) = told(read(eventID=...), read(eventID=...))
    assert finding.count == 2


def test_the_copies_of_one_call_in_two_accounts_are_one():
    here = nth(1, sharedEventID="s")
    there = nth(2, sharedEventID="s", recipientAccountId=OTHER_ACCOUNT)
    assert len(told(here, there)) == 1


def test_a_call_and_its_network_activity_are_not_copies():
    refused = changed(ENDPOINT_DENIED, sharedEventID="s")
    call = nth(1, sharedEventID="s")
    assert {finding.kind for finding in told(call, refused)} == {Kind.BYPASS, Kind.ENDPOINT_DENIED}


def test_times_and_events_are_united():
    early = nth(1, eventTime="2026-06-01T09:00:00Z")
    late = nth(2, eventTime="2026-06-01T10:00:00Z")
    (finding,) = told(late, early)
    assert finding.first_seen == datetime(2026, 6, 1, 9, tzinfo=UTC)
    assert finding.last_seen == datetime(2026, 6, 1, 10, tzinfo=UTC)


def print_of(**fields: Any) -> str:
    record = parse(read(**fields))
    return fingerprint(record, judge(record, INVENTORY))


def test_what_makes_an_occurrence_another_one():
    differ = [
        print_of(),
        print_of(userIdentity=role()),
        print_of(sourceIPAddress="198.51.100.8"),
        print_of(eventName="ListSecrets"),
        print_of(errorCode="AccessDenied"),
        print_of(awsRegion="eu-central-1"),
        print_of(recipientAccountId=OTHER_ACCOUNT),
        print_of(vpcEndpointId=FOREIGN_ENDPOINT),
        print_of(vpcEndpointId=OWN_ENDPOINT),
        print_of(sessionCredentialFromConsole="true", userAgent="Mozilla/5.0 (X11) Firefox/140.0"),
    ]
    assert len(set(differ)) == len(differ)


def test_what_does_not():
    assert print_of(requestParameters={"secretId": "other"}) == print_of()
    assert print_of(eventTime="2026-06-01T11:00:00Z", eventID="other") == print_of()
    assert print_of(userAgent="curl") == print_of()
    one, two = role(session="one"), role(session="two")
    assert print_of(userIdentity=one) == print_of(userIdentity=two)


def test_a_function_outside_any_vpc_is_one_caller_at_every_address():
    function = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:report"
    runs = role(inScopeOf={"issuerType": "AWS::Lambda::Function", "sourceArn": function})
    first = print_of(userIdentity=runs, sourceIPAddress="198.51.100.8")
    assert first == print_of(userIdentity=runs, sourceIPAddress="198.51.100.9")
    liar = role(inScopeOf=None)
    assert first != print_of(userIdentity=liar, userAgent="exec-env/AWS_Lambda_python3.13")


def test_people_who_share_a_role_of_identity_center_are_people():
    name = "aws-reserved/sso.amazonaws.com/AWSReservedSSO_Dev_0123456789abcdef"
    alice, bob = role(name, "alice@example.com"), role(name, "bob@example.com")
    assert principal(parse(read(userIdentity=alice))).endswith("alice@example.com")
    assert print_of(userIdentity=alice) != print_of(userIdentity=bob)


def test_the_fingerprint_is_the_findings():
    (finding,) = told(read())
    assert print_of() == finding.fingerprint


def test_long_texts_are_cut():
    (finding,) = told(read(userAgent="x" * 100_000))
    assert len(finding.evidence["user_agent"]) < 2_000


def test_what_is_no_record():
    now = datetime(2026, 6, 1, tzinfo=UTC)
    detail = {"eventID": "e", "eventName": 5, "secret": "not copied"}
    finding = unreadable(
        detail, "a record needs", account=ACCOUNT, region="eu-west-1", seen=now, window=60
    )
    assert finding.kind is Kind.UNREADABLE_RECORD
    assert finding.cause == "A record needs."
    assert finding.evidence == {"eventID": "e", "eventName": "5"}
    other = replace(finding, identity=("another reason",))
    assert other.fingerprint != finding.fingerprint


@given(damaged())
def test_every_record_can_be_told(value: Any):
    try:
        record: Record = parse(value)
    except UnreadableRecord:
        return
    judgement = judge(record, INVENTORY)
    for finding in findings(record, judgement, window=60):
        body = finding.to_json()
        assert Finding.from_json(json.loads(json.dumps(body))).fingerprint == finding.fingerprint
        assert finding.title.encode()
    assert len(fingerprint(record, judgement)) == 24
