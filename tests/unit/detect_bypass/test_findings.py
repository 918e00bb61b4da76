"""One occurrence is one alert: what becomes a finding, and which findings are the same."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given

from detect_bypass.findings import collapse, findings, fingerprint, unreadable
from detect_bypass.judge import CallerLocation, Inventory, judge
from detect_bypass.records import once
from guard.cloudtrail.evidence import principal
from guard.cloudtrail.record import Record, UnreadableRecord, parse
from guard.findings.finding import Finding, Kind, Severity
from tests.damage import damaged
from tests.records import (
    ACCOUNT,
    ALICE,
    ENDPOINT_DENIED,
    FOREIGN_ENDPOINT,
    OTHER_ACCOUNT,
    OWN_ENDPOINT,
    REGION,
    SECRET,
    changed,
    read,
    role,
)

HOUR = 3600
INVENTORY = Inventory(accounts=frozenset({ACCOUNT}), own_endpoints=frozenset({OWN_ENDPOINT}))


def published(*records: dict[str, Any]) -> list[Finding]:
    """The findings of a batch with these records."""
    kept = [call.record for call in once([parse(record) for record in records])]
    return collapse([f for r in kept for f in findings(r, judge(r, INVENTORY), window=3600)])


def nth(number: int, **fields: Any) -> dict[str, Any]:
    """A read with an event id of its own."""
    return read(eventID=f"3f0c1a52-0000-4000-8000-{number:012d}", **fields)


def test_a_bypass():
    (finding,) = published(read())
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
    (finding,) = published(read(errorCode="AccessDenied", errorMessage="no"))
    assert finding.title.startswith("Blocked: ")
    assert finding.severity is Severity.MEDIUM


def test_through_our_endpoint_there_is_nothing_to_publish():
    assert published(read(vpcEndpointId=OWN_ENDPOINT)) == []


def test_a_foreign_endpoint_is_the_resource():
    (finding,) = published(read(vpcEndpointId=FOREIGN_ENDPOINT))
    assert (finding.kind, finding.resource) == (Kind.FOREIGN_ENDPOINT, FOREIGN_ENDPOINT)
    assert "Endpoint" not in finding.links  # it is in nobody's console that we know


def test_a_refusal_at_our_endpoint():
    (finding,) = published(ENDPOINT_DENIED)
    assert (finding.kind, finding.resource) == (Kind.ENDPOINT_DENIED, OWN_ENDPOINT)
    assert finding.title == (
        f"{OWN_ENDPOINT} refused GetSecretValue by AROAEXAMPLE0000000000:session"
    )
    assert finding.evidence["error"] == "VpceAccessDenied"


def test_a_changed_secret_policy_is_published_whichever_way_it_came():
    change = nth(1, eventName="PutResourcePolicy", vpcEndpointId=OWN_ENDPOINT)
    (finding,) = published(change)
    assert (finding.kind, finding.resource) == (Kind.SECRET_POLICY_CHANGED, SECRET)
    assert finding.cause.startswith(f"arn:aws:iam::{ACCOUNT}:user/alice called PutResourcePolicy.")
    kinds = {finding.kind for finding in published(changed(change, vpcEndpointId=...))}
    assert kinds == {Kind.SECRET_POLICY_CHANGED, Kind.BYPASS}


def test_a_policy_that_could_not_be_changed_is_no_change():
    failed = read(eventName="DeleteResourcePolicy", errorCode="AccessDenied")
    assert [finding.kind for finding in published(failed)] == [Kind.BYPASS]


def test_policy_changes_are_gathered_by_caller_and_secret():
    one = nth(1, eventName="PutResourcePolicy", vpcEndpointId=OWN_ENDPOINT)
    (finding,) = published(
        one, nth(2, eventName="DeleteResourcePolicy", vpcEndpointId=OWN_ENDPOINT)
    )
    assert finding.count == 2
    other = nth(
        3,
        eventName="PutResourcePolicy",
        vpcEndpointId=OWN_ENDPOINT,
        requestParameters={"secretId": "other"},
    )
    by_another = changed(one, userIdentity=role(), eventID="e")
    assert len(published(one, other, by_another)) == 3


def policy_record(*statements: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    return read(
        eventName="PutResourcePolicy",
        vpcEndpointId=OWN_ENDPOINT,
        requestParameters={"secretId": SECRET, "resourcePolicy": text},
    )


def policy_set(*statements: dict[str, Any]) -> Finding:
    (finding,) = published(policy_record(*statements))
    return finding


def allow(principal: Any, **more: Any) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": principal,
        "Action": "secretsmanager:GetSecretValue",
        "Resource": "*",
        **more,
    }


ORGANIZATION, STRANGE_ORGANIZATION = "o-a1b2c3d4e5", "o-zzzzzzzzzz"
OF_OUR_OWN = {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}
OF_ORGANIZATION = {"StringEquals": {"aws:PrincipalOrgID": ORGANIZATION}}
OF_A_STRANGE_ONE = {"StringEquals": {"aws:PrincipalOrgID": STRANGE_ORGANIZATION}}
DENY_ALL = {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}


def like(key: str, value: str) -> dict[str, Any]:
    return {"StringLike": {key: value}}


def unless(operator: str, key: str, value: str) -> dict[str, Any]:
    return {**DENY_ALL, "Condition": {operator: {key: value}}}


def allow_all_but(principal: Any) -> dict[str, Any]:
    statement = allow(None, NotPrincipal=principal)
    del statement["Principal"]
    return statement


SET = "secretsmanager:PutResourcePolicy"
OTHERS_ROLE = f"arn:aws:iam::{OTHER_ACCOUNT}:role/app"
GITHUB = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"


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
        # Who may set the policy lets itself read by the next one
        ([allow({"AWS": OTHER_ACCOUNT}, Action=SET)], "high", "(by setting the policy) may read"),
        ([allow({"AWS": OTHER_ACCOUNT}, Action="secretsmanager:Put*")], "high", OTHER_ACCOUNT),
        ([allow("*", Action=SET)], "high", "everybody (by setting the policy)"),
        (
            [allow({"AWS": OTHER_ACCOUNT}, Action=SET, Condition=OF_ORGANIZATION)],
            "medium",
            "(by setting the policy) may read it under its conditions",
        ),
        ([allow({"AWS": ACCOUNT}, Action=SET)], "low", "called"),
        ([allow({"AWS": OTHER_ACCOUNT}, Action="secretsmanager:PutSecretValue")], "low", "called"),
        ([allow({"AWS": OTHER_ACCOUNT}, Action=SET), DENY_ALL], "low", "called"),
        (
            [
                allow({"AWS": OTHER_ACCOUNT}, Action=[SET, "secretsmanager:GetSecretValue"]),
                {**DENY_ALL, "Action": "secretsmanager:GetSecretValue"},
            ],
            "high",
            "(by setting the policy)",
        ),
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
        ([allow({"AWS": f"arn:aws:iam::{ACCOUNT}:role/app"})], "low", "called"),
        ([allow({"Service": "rds.amazonaws.com"})], "low", "called"),
        ([allow("*", Action="secretsmanager:DescribeSecret")], "low", "called"),
        ([allow("*", Resource=SECRET.replace("prod", "test"))], "low", "called"),
        ([allow("*"), DENY_ALL], "low", "called"),
        ([DENY_ALL], "low", "called"),
        # Whom a condition names
        (
            [allow("*", Condition=like("aws:PrincipalAccount", OTHER_ACCOUNT))],
            "high",
            OTHER_ACCOUNT,
        ),
        ([allow("*", Condition=like("aws:PrincipalArn", OTHERS_ROLE))], "high", OTHERS_ROLE),
        (
            [allow("*", Condition={"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/app"}})],
            "high",
            "arn:aws:iam::*:role/app may read",
        ),
        (
            [allow("*", Condition=like("aws:PrincipalArn", f"arn:aws:iam::{ACCOUNT}:role/*"))],
            "low",
            "called",
        ),
        (
            [allow("*"), unless("StringNotEquals", "aws:PrincipalAccount", OTHER_ACCOUNT)],
            "high",
            f"{OTHER_ACCOUNT} may read",
        ),
        (
            [allow("*"), unless("StringNotEquals", "aws:PrincipalAccount", ACCOUNT)],
            "low",
            "called",
        ),
        ([allow_all_but({"AWS": ACCOUNT})], "high", "everybody"),
        # What a stranger chooses
        ([allow("*", Condition={"Bool": {"aws:SecureTransport": "true"}})], "high", "everybody"),
        ([allow("*", Condition=like("aws:PrincipalTag/team", "a*"))], "high", "everybody"),
        ([allow("*", Condition=like("aws:UserAgent", "*app*"))], "high", "everybody"),
        ([allow("*", Condition={"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}})], "high", "everybody"),
        ([allow("*", Condition=like("aws:SourceVpc", "vpc-*"))], "high", "everybody"),
        ([allow("*", Condition=like("aws:SourceVpc", "vpc-0a1b2c3d"))], "medium", "everybody"),
        (
            [allow("*"), unless("StringNotEquals", "aws:PrincipalTag/team", "a")],
            "high",
            "everybody",
        ),
        ([allow("*", Condition={"Null": {"aws:PrincipalTag/team": "false"}})], "high", "everybody"),
        (
            [allow("*", Condition={"StringEquals": {"aws:ResourceAccount": ACCOUNT}})],
            "high",
            "every",
        ),
        (
            [allow("*", Condition={"StringEquals": {"aws:RequestedRegion": REGION}})],
            "high",
            "every",
        ),
        ([allow("*", Condition={"StringEquals": {"aws:RequestedRegion": "x"}})], "low", "called"),
        (
            [allow("*", Condition={"Null": {"aws:PrincipalOrgID": "false"}})],
            "high",
            "of organization",
        ),
        ([allow("*", Condition={"Null": {"aws:PrincipalOrgID": "true"}})], "high", "everybody"),
        (
            [
                allow(
                    "*",
                    Condition={
                        "Null": {"aws:PrincipalTag/team": "false"},
                        "StringEquals": {"aws:PrincipalTag/team": "a"},
                    },
                )
            ],
            "high",
            "everybody",
        ),
        # Federated principals
        ([allow({"Federated": "accounts.google.com"})], "high", "signs in by accounts.google.com"),
        ([allow({"Federated": GITHUB.replace(ACCOUNT, OTHER_ACCOUNT)})], "high", OTHER_ACCOUNT),
        ([allow({"Federated": GITHUB})], "low", "called"),
        # An organization that may be ours
        ([allow("*", Condition=OF_ORGANIZATION)], "medium", f"of organization {ORGANIZATION}"),
        ([allow("*", Condition=like("aws:PrincipalOrgID", "o-*"))], "high", "organization o-*"),
    ],
)
def test_a_policy_weighs_what_it_decides(statements: Any, severity: str, words: str):
    finding = policy_set(*statements)
    assert finding.severity == severity
    assert words in finding.cause


@pytest.mark.parametrize(
    ("statements", "severity", "words"),
    [
        ([allow("*", Condition=OF_ORGANIZATION)], "low", "called"),
        ([allow("*"), unless("StringNotEquals", "aws:PrincipalOrgID", ORGANIZATION)], "low", ""),
        (
            [allow("*", Condition=OF_A_STRANGE_ONE)],
            "high",
            f"anybody of organization {STRANGE_ORGANIZATION} may read",
        ),
        (
            [allow("*"), unless("StringNotEquals", "aws:PrincipalOrgID", STRANGE_ORGANIZATION)],
            "high",
            STRANGE_ORGANIZATION,
        ),
        (
            [allow({"AWS": OTHER_ACCOUNT}, Condition=OF_A_STRANGE_ONE)],
            "high",
            f"{OTHER_ACCOUNT} of organization {STRANGE_ORGANIZATION} may read",
        ),
        ([allow({"AWS": OTHER_ACCOUNT}, Condition=OF_ORGANIZATION)], "medium", OTHER_ACCOUNT),
        (
            [
                allow(
                    "*",
                    Condition={
                        "ForAnyValue:StringLike": {
                            "aws:PrincipalOrgPaths": f"{STRANGE_ORGANIZATION}/*"
                        }
                    },
                )
            ],
            "high",
            STRANGE_ORGANIZATION,
        ),
        (
            [
                allow(
                    "*",
                    Condition={
                        "ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": f"{ORGANIZATION}/*"}
                    },
                )
            ],
            "low",
            "called",
        ),
    ],
)
def test_our_organization_is_no_stranger(statements: Any, severity: str, words: str):
    record = parse(policy_record(*statements))
    (finding,) = findings(record, judge(record, INVENTORY), HOUR, organization=ORGANIZATION)
    assert finding.severity == severity
    assert words in finding.cause


@pytest.mark.parametrize(
    "secret", [SECRET, SECRET[:-7], "prod/db"], ids=["full ARN", "partial ARN", "name"]
)
@pytest.mark.parametrize(
    ("resource", "severity"),
    [
        (SECRET, "high"),
        (f"{SECRET[:-7]}-??????", "high"),
        (f"{SECRET[:-7]}*", "high"),
        (SECRET.replace("prod", "test"), "low"),
    ],
)
def test_a_policy_is_about_its_secret_however_the_caller_named_it(
    secret: str, resource: str, severity: str
):
    statement = allow({"AWS": OTHER_ACCOUNT}, Resource=resource)
    text = json.dumps({"Statement": [statement]})
    (finding,) = published(
        read(
            eventName="PutResourcePolicy",
            vpcEndpointId=OWN_ENDPOINT,
            requestParameters={"secretId": secret, "resourcePolicy": text},
        )
    )
    assert finding.severity == severity


def test_the_secret_that_the_policy_names_is_denied_too():
    deny = {**DENY_ALL, "Resource": SECRET}
    request = {
        "secretId": SECRET[:-7],
        "resourcePolicy": json.dumps({"Statement": [allow("*"), deny]}),
    }
    record = read(
        eventName="PutResourcePolicy", vpcEndpointId=OWN_ENDPOINT, requestParameters=request
    )
    assert [one.severity for one in published(record)] == ["low"]


def test_of_many_strangers_none_is_silent():
    many = [f"{n:012d}" for n in range(1, 81)]
    finding = policy_set(allow({"AWS": many}))
    assert finding.severity == "high"
    assert "and 44 more may read its value" in finding.cause
    assert "31 others whom nobody asked about" in finding.cause
    assert len(finding.evidence["let_in"]) == 20


def test_each_stranger_let_in_is_graver_than_the_ones_before():
    first, second = policy_set(allow({"AWS": OTHER_ACCOUNT})), policy_set(allow({"AWS": "9" * 12}))
    both = policy_set(allow({"AWS": [OTHER_ACCOUNT, "9" * 12]}))
    assert first.fingerprint == second.fingerprint == both.fingerprint
    assert len(set(second.graver) - set(first.graver)) == 1
    assert set(both.graver) == {*first.graver, *second.graver}
    perhaps = policy_set(allow({"AWS": "9" * 12}, Condition=OF_ORGANIZATION))
    assert set(second.graver) - set(perhaps.graver) >= {
        one for one in second.graver if "opens" in one
    }


GUARD = role("secret-policy", "guard")
GUARD_ROLE = GUARD["sessionContext"]["sessionIssuer"]["arn"]


@pytest.mark.parametrize(
    ("statement", "published"),
    [
        (DENY_ALL, False),
        (allow({"AWS": OTHER_ACCOUNT}, Condition=OF_ORGANIZATION), False),
        (allow("*"), True),
        (allow({"AWS": OTHER_ACCOUNT}), True),
    ],
)
def test_the_guards_own_change_is_published_only_where_a_stranger_may_read(
    statement: Any, published: bool
):
    record = parse(changed(policy_record(statement), userIdentity=GUARD, vpcEndpointId=...))
    known = replace(INVENTORY, guard_roles=frozenset({GUARD_ROLE}))
    made = findings(record, judge(record, known), HOUR)
    assert [one.severity for one in made] == (["high"] if published else [])


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
    (finding,) = published(record)
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
    (finding,) = published(record)
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
    kinds = {finding.kind for finding in published(read(**fields))}
    assert Kind.SECRET_REPLICATED not in kinds


def test_a_batch_read_and_its_single_reads_are_one_alert():
    filters = {"filters": [{"key": "name", "values": ["prod/"]}]}
    batch = nth(1, eventName="BatchGetSecretValue", requestParameters=filters)
    singles = [nth(n, requestParameters={"secretId": f"prod/{n}"}) for n in (2, 3)]
    (finding,) = published(batch, *singles)
    assert finding.count == 3
    assert finding.evidence["secrets"] == ["prod/2", "prod/3"]
    assert finding.evidence["actions"] == ["BatchGetSecretValue", "GetSecretValue"]
    assert len(finding.evidence["events"]) == 3


def test_the_same_event_twice_counts_once():
    (finding,) = published(nth(1), nth(1))
    assert finding.count == 1


def test_events_without_id_each_count():
    (finding,) = published(read(eventID=...), read(eventID=...))
    assert finding.count == 2


def test_the_copies_of_one_call_in_two_accounts_are_one():
    here = nth(1, sharedEventID="s")
    there = nth(2, sharedEventID="s", recipientAccountId=OTHER_ACCOUNT)
    assert len(published(here, there)) == 1


def test_a_call_and_its_network_activity_are_not_copies():
    refused = changed(ENDPOINT_DENIED, sharedEventID="s")
    call = nth(1, sharedEventID="s")
    assert {finding.kind for finding in published(call, refused)} == {
        Kind.BYPASS,
        Kind.ENDPOINT_DENIED,
    }


def test_times_and_events_are_united():
    early = nth(1, eventTime="2026-06-01T09:00:00Z")
    late = nth(2, eventTime="2026-06-01T10:00:00Z")
    (finding,) = published(late, early)
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


FUNCTION = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:report"
IN_FUNCTION = {"issuerType": "AWS::Lambda::Function", "sourceArn": FUNCTION}
IN_NO_VPC = replace(INVENTORY, locations={FUNCTION: CallerLocation(via="Function report")})


def by_function(known: Inventory, address: str, **scope: Any) -> Finding:
    identity = role(inScopeOf={**IN_FUNCTION, **scope})
    record = parse(read(userIdentity=identity, sourceIPAddress=address))
    (finding,) = findings(record, judge(record, known), HOUR)
    return finding


def test_a_function_outside_any_vpc_is_one_caller_at_every_address():
    first, other = (by_function(IN_NO_VPC, f"198.51.100.{n}") for n in (8, 9))
    assert (first.fingerprint, first.novel) == (other.fingerprint, other.novel)
    liar = parse(read(userIdentity=role(), userAgent="exec-env/AWS_Lambda_python3.13"))
    assert first.fingerprint != fingerprint(liar, judge(liar, IN_NO_VPC))


def test_an_address_far_from_the_functions_others_is_new():
    routine, thief = by_function(IN_NO_VPC, "198.51.100.8"), by_function(IN_NO_VPC, "203.0.113.66")
    assert set(thief.novel) - set(routine.novel) == {"address 203.0.0.0/8"}


@pytest.mark.parametrize(
    ("known", "scope"),
    [
        (INVENTORY, {}),
        (replace(INVENTORY, blind="Throttling"), {}),
        (
            replace(
                INVENTORY,
                locations={FUNCTION: CallerLocation(via="function report", vpc_id="vpc-0a")},
                blind="Throttling",
            ),
            {},
        ),
        (IN_NO_VPC, {"issuerType": "AWS::EC2::Instance"}),
    ],
    ids=["not asked", "throttled", "in a VPC, address not found out", "no function"],
)
def test_only_a_function_known_to_be_in_no_vpc_is_the_same_at_another_address(
    known: Inventory, scope: dict[str, str]
):
    routine, away = (by_function(known, one, **scope) for one in ("198.51.100.8", "203.0.113.66"))
    assert routine.fingerprint != away.fingerprint
    assert not known.blind or "is not known: Throttling" in away.cause


def test_a_rotation_step_from_an_address_that_is_not_known_weighs_in_full():
    step = read(
        userIdentity=role(inScopeOf=IN_FUNCTION),
        requestParameters={"secretId": SECRET, "versionStage": "AWSPENDING"},
    )
    record = parse(step)
    found = {judge(record, one).severity for one in (IN_NO_VPC, INVENTORY)}
    assert found == {Severity.MEDIUM}
    assert judge(record, replace(INVENTORY, blind="Throttling")).severity is Severity.HIGH


def test_equal_findings_list_each_tool_and_key():
    keys = [{**ALICE, "accessKeyId": f"AKIAEXAMPLE00000000{n}"} for n in range(3)]
    records = [
        nth(n, userIdentity=key, userAgent=f"tool/{n}", requestParameters={"secretId": f"s-{n}"})
        for n, key in enumerate(keys)
    ]
    (finding,) = published(*records)
    assert finding.evidence["access_key_ids"] == [key["accessKeyId"] for key in keys]
    assert finding.evidence["user_agents"] == ["tool/0", "tool/1", "tool/2"]
    (alone,) = published(*[nth(n) for n in range(3)])
    assert "access_key_ids" not in alone.evidence


def test_what_a_list_leaves_out_is_counted():
    (finding,) = published(*[nth(n, requestParameters={"secretId": f"s-{n}"}) for n in range(25)])
    assert len(finding.evidence["secrets"]) == 25  # each of whose first read it publishes
    assert finding.evidence["not_listed"] == {"events": 5}
    (finding,) = published(*[nth(n, requestParameters={"secretId": f"s-{n}"}) for n in range(130)])
    assert finding.evidence["not_listed"] == {"secrets": 30, "events": 110}


def test_first_reads_do_not_crowd_out_a_key():
    many = [
        nth(n, userIdentity=role(), requestParameters={"secretId": f"s-{n}"}) for n in range(120)
    ]
    records = [parse(one) for one in many]
    made = [f for one in records for f in findings(one, judge(one, INVENTORY), HOUR)]
    (finding,) = collapse([*made, replace(made[0], novel=("key AKIAEXAMPLE",))])
    assert "key AKIAEXAMPLE" in finding.novel
    assert len(finding.novel) == 100


def test_people_who_share_a_role_of_identity_center_are_people():
    name = "aws-reserved/sso.amazonaws.com/AWSReservedSSO_Dev_0123456789abcdef"
    alice, bob = role(name, "alice@example.com"), role(name, "bob@example.com")
    assert principal(parse(read(userIdentity=alice))).endswith("alice@example.com")
    assert print_of(userIdentity=alice) != print_of(userIdentity=bob)


def test_the_fingerprint_is_the_findings():
    (finding,) = published(read())
    assert print_of() == finding.fingerprint


def test_long_texts_are_cut():
    (finding,) = published(read(userAgent="x" * 100_000))
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
def test_every_record_can_be_published(value: Any):
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
