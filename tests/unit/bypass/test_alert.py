"""One occurrence is one alert: what becomes a finding, and which findings are the same."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import given

from guard.bypass.alert import collapse, findings, fingerprint, once, principal, unreadable
from guard.events.record import Record, UnreadableRecord, parse
from guard.finding import Finding, Kind, Severity
from guard.judge import Inventory, judge
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

INVENTORY = Inventory(accounts=frozenset({ACCOUNT}), own_endpoints=frozenset({OWN_ENDPOINT}))


def told(*records: dict[str, Any]) -> list[Finding]:
    """The findings of a batch with these records."""
    kept = once((parse(record) for record in records), record_of=lambda record: record)
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
    assert finding.title == "GetSecretValue by user/alice went round the VPC endpoint"
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
    assert finding.cause == f"arn:aws:iam::{ACCOUNT}:user/alice called PutResourcePolicy."
    kinds = {finding.kind for finding in told(changed(change, vpcEndpointId=...))}
    assert kinds == {Kind.SECRET_POLICY_CHANGED, Kind.BYPASS}


def test_a_policy_that_could_not_be_changed_is_no_change():
    failed = read(eventName="DeleteResourcePolicy", errorCode="AccessDenied")
    assert [finding.kind for finding in told(failed)] == [Kind.BYPASS]


def test_each_policy_change_is_its_own_and_the_same_event_is_not():
    one = nth(1, eventName="PutResourcePolicy", vpcEndpointId=OWN_ENDPOINT)
    two = changed(one, eventID="3f0c1a52-0000-4000-8000-000000000002")
    assert len(told(one, two, one)) == 2
    assert told(one)[0].fingerprint == told(one)[0].fingerprint


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
