"""Each rule of the judgement has records that it must match and others that it must not."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detect_bypass.judge import (
    PREDICATES,
    CallerLocation,
    Case,
    Inventory,
    Origin,
    Reach,
    Verdict,
    judge,
    origin,
    reach,
)
from detect_bypass.judge.exceptions import parse as parse_exceptions
from detect_bypass.judge.predicates import GUARD_CALLS
from guard.cloudtrail.record import UnreadableRecord, parse
from guard.findings.finding import Severity
from guardctl.replay.explain import explain
from tests.damage import damaged
from tests.records import (
    ACCOUNT,
    ALICE,
    ENDPOINT_DENIED,
    FOREIGN_ENDPOINT,
    OTHER_ACCOUNT,
    OWN_ENDPOINT,
    READ,
    REGION,
    ROOT,
    ROTATION_SUCCEEDED,
    SECRET,
    changed,
    read,
    role,
)

APPROVED_ENDPOINT = "vpce-0bbbbbbbbbbbbbbb2"
APPROVED_ACCOUNT = "777788889999"
AWAY_AT = int(datetime(2026, 5, 1, 12, tzinfo=UTC).timestamp())
INVENTORY = Inventory(
    accounts=frozenset({ACCOUNT}),
    own_endpoints=frozenset({OWN_ENDPOINT}),
    approved_endpoints=frozenset({APPROVED_ENDPOINT}),
    approved_accounts=frozenset({APPROVED_ACCOUNT}),
    locations={
        "203.0.113.99": CallerLocation(via="NAT gateway nat-0a", vpc_id="vpc-0a", broken=True),
        "i-0aaaaaaaaaaaaaaaa": CallerLocation(via="instance i-0aaaaaaaaaaaaaaaa", vpc_id="vpc-0a"),
        "report": CallerLocation(via="Function report"),
    },
    strangers=frozenset({"192.0.2.66"}),
    read_before=frozenset({"again"}),
    guard_roles=frozenset({f"arn:aws:iam::{ACCOUNT}:role/vpce-guard-EnsureEndpointRole"}),
    absences={"vpc-0a": range(AWAY_AT, AWAY_AT + 3_600)},
)
EXCEPTIONS = parse_exceptions(
    {
        "exceptions": [
            {
                "name": "ci",
                "owner": "platform@example.com",
                "reason": "Runners have no VPC yet",
                "expires": "2026-06-30",
                "principal": f"arn:aws:iam::{ACCOUNT}:role/ci-*",
            }
        ]
    }
)

SERVICE = {"sourceIPAddress": "rds.amazonaws.com", "userAgent": "rds.amazonaws.com"}
SERVICE_LINKED_ROLE = role("aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS", "rds")
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

# Whole records, as they are met.
by_user = read()
by_role = read(userIdentity=role())
by_root = read(userIdentity=ROOT)
through_own = read(vpcEndpointId=OWN_ENDPOINT, sourceIPAddress="10.0.1.7")
through_approved = read(vpcEndpointId=APPROVED_ENDPOINT, sourceIPAddress="10.0.1.7")
through_deleted = read(
    vpcEndpointId="vpce-0dead", vpcEndpointAccountId=ACCOUNT, sourceIPAddress="10.0.1.7"
)
through_hub = read(
    vpcEndpointId="vpce-0cafe", vpcEndpointAccountId=APPROVED_ACCOUNT, sourceIPAddress="10.9.1.7"
)
through_foreign = read(vpcEndpointId=FOREIGN_ENDPOINT, sourceIPAddress="10.9.1.7")
through_foreign_account = changed(through_foreign, vpcEndpointAccountId=OTHER_ACCOUNT)
in_console = read(
    sessionCredentialFromConsole="true",
    userIdentity={**ALICE, "accessKeyId": "ASIAEXAMPLE000000001"},
    userAgent=BROWSER,
)
in_console_through_aws_endpoint = changed(
    in_console, vpcEndpointId="vpce-f40dc59d", sourceIPAddress="10.248.16.43"
)
at_sign_in = read(userIdentity={**ALICE, "invokedBy": "signin.amazonaws.com"})
by_cloudformation = {
    "userIdentity": {**ALICE, "invokedBy": "cloudformation.amazonaws.com"},
    "userAgent": "cloudformation.amazonaws.com",
}
through_service_console = read(**by_cloudformation)
through_service_by_cli = changed(through_service_console, userAgent=READ["userAgent"])
on_behalf = read(
    userIdentity={**ALICE, "invokedBy": "cloudformation.amazonaws.com"},
    sourceIPAddress="cloudformation.amazonaws.com",
    userAgent="cloudformation.amazonaws.com",
)
on_behalf_of_console_session = changed(on_behalf, sessionCredentialFromConsole="true")
on_behalf_through_aws_endpoint = changed(
    on_behalf, vpcEndpointId="vpce-0d985940f92611b87", userIdentity=role(invokedBy="AWS Internal")
)
semicolon = read(
    userIdentity=role(invokedBy="AWS Internal;"), sourceIPAddress="AWS Internal", userAgent=...
)
internal_endpoint = read(
    userIdentity=role(), sourceIPAddress="10.1.2.3", vpcEndpointId="AWS Internal"
)
principal_of_service = read(
    userIdentity={"type": "AWSService", "invokedBy": "lambda.amazonaws.com"}, **SERVICE
)
service_linked = read(userIdentity=SERVICE_LINKED_ROLE, sourceIPAddress="52.95.1.1")
masked = read(sourceIPAddress="XXXX")
masked_with_service = read(**by_cloudformation, sourceIPAddress="XXXX")
liar = read(userAgent="secretsmanager.amazonaws.com")
untyped_person = read(userIdentity={"accountId": ACCOUNT, "userName": "alice"})
service_event_of_a_person = read(eventType="AwsServiceEvent")
by_guard = read(
    eventName="DescribeSecret", userIdentity=role("vpce-guard-EnsureEndpointRole", "function")
)
excepted = read(userIdentity=role("ci-runner"))
excepted_too_late = changed(excepted, eventTime="2026-07-01T00:00:00Z")
nobodys_event = changed(ROTATION_SUCCEEDED, userIdentity=..., sourceIPAddress=...)
stranger = changed(READ, userIdentity=None, sourceIPAddress=None)
retyped_endpoint = read(vpcEndpointId={"id": OWN_ENDPOINT})
FUNCTION = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:rotate"
IN_FUNCTION = {"issuerType": "AWS::Lambda::Function", "credentialsIssuedTo": FUNCTION}
by_instance = read(userIdentity=role(session="i-0aaaaaaaaaaaaaaaa"), sourceIPAddress="203.0.113.99")
by_instance_elsewhere = changed(by_instance, sourceIPAddress="192.0.2.66")
as_ever = changed(by_instance, eventID="again")
in_absence = changed(by_instance, eventTime="2026-05-01T12:30:00Z")
pending = {"secretId": SECRET, "versionStage": "AWSPENDING"}
rotating = read(userIdentity=role(inScopeOf=IN_FUNCTION), requestParameters=pending)
through_aws = read(vpcEndpointId="vpce-1bba4172")
# Credentials of a console session, taken out of the browser.
PAGE = "[S3Console/0.4, aws-internal/3 aws-sdk-java/1.12.488 Linux/5.10]"
CLI = "aws-cli/2.31.0 md/awscrt#0.27.6 ua/2.1 os/linux#6.8.0"
marked = {"sessionCredentialFromConsole": "true", "userIdentity": role(session="jo")}
console_in_cli = read(**marked, userAgent=CLI)
console_in_sdk = read(**marked, userAgent="Boto3/1.40.0 md/Botocore#1.40.0")
console_in_shell = read(**marked, userAgent="aws-cli/2.31.0 exec-env/CloudShell")
# A person's or workload's identity on the hosts of a service.
in_fleet = read(
    userIdentity=role("fleet", "AppStream2.0"),
    sourceIPAddress="appstream.amazonaws.com",
    userAgent="aws-cli/2.31.0 os/windows#10",
)
in_masked_fleet = changed(in_fleet, userAgent="appstream.amazonaws.com")


def relayed(service: str, **fields: Any) -> dict[str, Any]:
    host = f"{service}.amazonaws.com"
    identity = role("chosen", "x", invokedBy=host)
    return read(**({"userIdentity": identity, "sourceIPAddress": host, "userAgent": host} | fields))


by_state_machine = relayed("states")
by_schedule = relayed("scheduler")
by_automation = relayed("ssm")
by_chat = relayed("chatbot")
console_action = read(eventType="AwsConsoleAction")
root_in_console = changed(in_console, userIdentity=ROOT)
alice_for_an_hour = {**ALICE, "accessKeyId": "ASIAEXAMPLE000000001"}
SIGNED_ON = role("aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Admin_0a", "alice")
denied_to_user = changed(ENDPOINT_DENIED, userIdentity=ALICE)
denied_to_root = changed(ENDPOINT_DENIED, userIdentity=ROOT)
denied_to_role = changed(ENDPOINT_DENIED, userIdentity=role())
denied_to_signed_on = changed(ENDPOINT_DENIED, userIdentity=SIGNED_ON)
denied_read = changed(denied_to_role, eventName="DescribeSecret")
allowed_network_activity = changed(ENDPOINT_DENIED, errorCode=..., errorMessage=...)


@dataclass(frozen=True)
class Samples:
    must: list[dict[str, Any]]
    must_not: list[dict[str, Any]]


SAMPLES = {
    "was_refused_by_endpoint": Samples(
        [ENDPOINT_DENIED, changed(ENDPOINT_DENIED, eventType="AwsVpceEvents", eventCategory=...)],
        [allowed_network_activity, read(errorCode="VpceAccessDenied"), by_user],
    ),
    "came_through_known_endpoint": Samples(
        [through_own, through_approved],
        [through_foreign, through_deleted, in_console_through_aws_endpoint, by_user],
    ),
    "came_through_own_account": Samples(
        [through_deleted],
        [
            through_foreign_account,
            through_foreign,
            by_user,
            read(vpcEndpointId="AWS Internal", vpcEndpointAccountId=ACCOUNT),
            read(vpcEndpointAccountId=ACCOUNT),
        ],
    ),
    "came_through_approved_account": Samples(
        [through_hub], [through_foreign_account, read(vpcEndpointAccountId=APPROVED_ACCOUNT)]
    ),
    "came_through_other_account": Samples(
        [through_foreign_account],
        [
            through_hub,
            through_deleted,
            through_foreign,
            changed(through_own, vpcEndpointAccountId=OTHER_ACCOUNT),
            changed(through_foreign, vpcEndpointAccountId="AWS Internal"),
        ],
    ),
    "came_through_unknown_endpoint": Samples(
        [through_foreign, through_foreign_account, in_console_through_aws_endpoint],
        [through_own, through_approved, through_deleted, through_hub, by_user, internal_endpoint],
    ),
    "cannot_be_judged": Samples(
        [
            stranger,
            retyped_endpoint,
            read(userIdentity="alice"),
            read(sourceIPAddress=[]),
            changed(nobodys_event, userIdentity=["x"]),
        ],
        [
            nobodys_event,
            by_user,
            untyped_person,
            read(sourceIPAddress=...),
            read(userIdentity=...),
            masked,
        ],
    ),
    "is_service_event": Samples([ROTATION_SUCCEEDED, service_event_of_a_person], [by_user]),
    "caller_is_service": Samples([principal_of_service], [on_behalf, ROTATION_SUCCEEDED, by_user]),
    "was_invoked_by_service": Samples(
        [on_behalf, ROTATION_SUCCEEDED, semicolon, through_service_console],
        [at_sign_in, by_user, liar, read(userIdentity={**ALICE, "invokedBy": "example.com"})],
    ),
    "came_from_service": Samples(
        [
            on_behalf,
            semicolon,
            read(sourceIPAddress="AWS Internal/#"),
            read(sourceIPAddress="dynamodb.application-autoscaling.amazonaws.com"),
            read(sourceIPAddress="gamma.lifecycle.s3.amazonaws.com"),
            read(sourceIPAddress="rds.amazonaws.com.cn"),
        ],
        [
            by_user,
            masked,
            read(sourceIPAddress="signin.amazonaws.com"),
            read(sourceIPAddress="amazonaws.com.example.org"),
            read(sourceIPAddress="AWS Internality"),
            liar,
        ],
    ),
    "crossed_aws_network": Samples(
        [internal_endpoint, read(vpcEndpointId="secretsmanager.amazonaws.com")],
        [through_foreign, by_user],
    ),
    "has_service_linked_role": Samples(
        [service_linked],
        [
            by_role,
            read(userIdentity=role("AWSServiceRoleForRDS", "rds")),
            read(userIdentity={**SERVICE_LINKED_ROLE, "type": "IAMUser"}),
        ],
    ),
    "is_service_linked": Samples(
        [service_linked],
        [by_role, changed(service_linked, sessionCredentialFromConsole=True)],
    ),
    "came_from_address": Samples(
        [
            by_user,
            masked,
            read(sourceIPAddress="000.00.00.00"),
            read(sourceIPAddress="192.0.2.0/24"),
            read(sourceIPAddress="2001:db8::7"),
            read(sourceIPAddress="::ffff:198.51.100.7"),
        ],
        [
            through_own,
            on_behalf,
            read(sourceIPAddress="::ffff:10.0.0.7"),
            read(sourceIPAddress="fd00::7"),
            read(sourceIPAddress=...),
        ],
    ),
    "has_console_session": Samples(
        [in_console, read(sessionCredentialFromConsole=True)],
        [by_user, read(sessionCredentialFromConsole="false"), at_sign_in],
    ),
    "signed_in": Samples([at_sign_in, read(sourceIPAddress="signin.amazonaws.com")], [on_behalf]),
    "is_console_action": Samples([console_action], [by_user, ROTATION_SUCCEEDED]),
    "used_browser": Samples([in_console], [by_user, on_behalf]),
    "is_on_owners_behalf": Samples(
        [
            ROTATION_SUCCEEDED,
            principal_of_service,
            on_behalf,
            on_behalf_of_console_session,
            on_behalf_through_aws_endpoint,
            semicolon,
            internal_endpoint,
            read(userIdentity=role(), sourceIPAddress="AWS Internal", userAgent="AWS Internal"),
            relayed("ecs-tasks"),
            read(userIdentity={"type": "AWSService", "invokedBy": "ssm.amazonaws.com"}),
            read(userIdentity=role(invokedBy="rds.amazonaws.com"), sourceIPAddress="10.1.2.3"),
            read(userIdentity=role(invokedBy="rds.amazonaws.com"), sourceIPAddress=...),
            read(userIdentity={"type": "AWSService", "invokedBy": "ecs.amazonaws.com"}),
        ],
        [
            by_user,
            by_role,
            liar,
            at_sign_in,
            through_service_console,
            masked_with_service,
            service_event_of_a_person,
            in_console,
            in_console_through_aws_endpoint,
            read(**SERVICE),
            in_fleet,
            by_state_machine,
            read(userIdentity={**ALICE, "type": "AWSService"}),
            read(vpcEndpointId="AWS Internal"),
            read(sourceIPAddress="AWS Internal", sessionCredentialFromConsole="true"),
            read(sourceIPAddress="AWS Internal", userAgent=BROWSER),
        ],
    ),
    "was_relayed": Samples(
        [
            in_fleet,
            in_masked_fleet,
            by_state_machine,
            by_schedule,
            by_automation,
            by_chat,
            relayed("ssm.eu-west-1"),
            relayed("states", userIdentity=role("chosen", "x", invokedBy="AWS Internal")),
            relayed("states", userIdentity=role("chosen", "x") | {"type": ""}),
            changed(in_fleet, userIdentity=role("fleet", "x", invokedBy="AWS Internal")),
            read(**SERVICE),
            read(userIdentity=ROOT, **SERVICE),
            read(userIdentity={**ALICE, "invokedBy": "states.amazonaws.com"}),
            relayed("states", sourceIPAddress="AWS Internal"),
            relayed("aws-mcp"),
            read(userIdentity={**ALICE, "invokedBy": "aws-mcp.amazonaws.com"}, **SERVICE),
        ],
        [
            on_behalf,
            relayed("ecs-tasks"),
            relayed("mcp"),
            semicolon,
            internal_endpoint,
            principal_of_service,
            ROTATION_SUCCEEDED,
            by_user,
            at_sign_in,
            liar,
            read(userIdentity=SERVICE_LINKED_ROLE, **SERVICE),
            read(userIdentity=role(invokedBy="states.amazonaws.com.example.org")),
            read(userIdentity={"type": "AWSService", "invokedBy": "states.amazonaws.com"}),
        ],
    ),
    "is_in_console": Samples(
        [
            in_console,
            at_sign_in,
            through_service_console,
            console_action,
            masked_with_service,
            changed(through_service_console, userAgent=BROWSER),
            changed(in_console, userAgent=PAGE),
            changed(in_console, userAgent="aws-internal/3 aws-sdk-java/1.12.488"),
            changed(in_console, userAgent="secretsmanager.amazonaws.com"),
        ],
        [
            through_service_by_cli,
            by_user,
            by_role,
            read(userAgent=BROWSER),
            on_behalf,
            principal_of_service,
            console_in_cli,
            console_in_sdk,
            console_in_shell,
            changed(in_console, userAgent="curl/8.9"),
            changed(in_console, userAgent=...),
            changed(in_console, userAgent=""),
            changed(in_console, userAgent="-"),
            changed(in_console, userAgent=f"{BROWSER} Boto3/1.40.0"),
            changed(in_console, userAgent=f"{BROWSER} exec-env/CloudShell"),
            changed(in_console, userAgent="Mozilla/5.0 (Windows NT) WindowsPowerShell/5.1.19041"),
            changed(in_console, userAgent="APN/1.0 HashiCorp/1.0 Terraform/1.9"),
            changed(in_console, userAgent="Botocore/1.40 (compatible; Mozilla/5.0)"),
        ],
    ),
    "is_the_guard": Samples(
        [by_guard, *(changed(by_guard, eventName=name) for name in GUARD_CALLS)],
        [
            by_role,
            changed(by_guard, eventName="GetSecretValue"),
            changed(by_guard, eventName="DeleteResourcePolicy"),
            changed(by_guard, userIdentity=role("vpce-guard-EnsureEndpointRole2")),
        ],
    ),
    "is_excepted": Samples([excepted], [excepted_too_late, by_role, by_user]),
    "is_root": Samples([by_root], [by_user, by_role, read(userIdentity={**ALICE, "type": "root"})]),
    "root_had_value": Samples(
        [by_root, root_in_console, changed(by_root, eventName="PutSecretValue")],
        [
            by_user,
            in_console,
            changed(by_root, eventName="ListSecrets"),
            changed(by_root, eventName="DeleteSecret"),
            changed(by_root, errorCode="AccessDenied"),
            denied_to_root,
        ],
    ),
    "used_lasting_key": Samples(
        [by_user, read(eventName="DeleteSecret"), through_aws],
        [
            by_role,
            by_root,
            in_console,
            read(userIdentity=alice_for_an_hour),
            read(userIdentity={**ALICE, "accessKeyId": ...}),
            read(eventName="ListSecrets"),
            read(errorCode="AccessDenied"),
            read(sourceIPAddress="203.0.113.99"),  # the NAT gateway of a VPC of ours
            read(userIdentity=role(accessKeyId="AKIAEXAMPLE000000000")),
        ],
    ),
    "person_asked_for_value": Samples(
        [
            denied_to_user,
            denied_to_root,
            denied_to_signed_on,
            changed(denied_to_user, eventName="PutSecretValue"),
            changed(denied_to_role, sessionCredentialFromConsole="true"),
        ],
        [denied_to_role, ENDPOINT_DENIED, changed(denied_to_user, eventName="DescribeSecret")],
    ),
    "workload_described": Samples(
        [denied_read, changed(denied_read, eventName="ListSecrets")],
        [
            denied_to_role,
            changed(denied_read, eventName="DeleteSecret"),
            changed(denied_read, userIdentity=ALICE),
            changed(denied_read, userIdentity=SIGNED_ON),
            changed(denied_read, userIdentity=role(accountId=OTHER_ACCOUNT)),
            changed(ENDPOINT_DENIED, eventName="DescribeSecret"),  # an account we know no more of
        ],
    ),
    "was_refused": Samples(
        [read(errorCode="AccessDenied"), ENDPOINT_DENIED],
        [by_user, changed(ROTATION_SUCCEEDED, errorMessage="timed out")],
    ),
    "is_used_elsewhere": Samples(
        [by_instance_elsewhere],
        [
            by_instance,
            changed(by_instance, sourceIPAddress="192.0.2.67"),  # AWS could not be asked
            by_role,  # an instance that is none of ours
            read(sourceIPAddress="192.0.2.66"),
            read(
                userIdentity=role(session="report"),
                sourceIPAddress="192.0.2.66",  # a function in no VPC has an address of AWS's
                userAgent="Boto3/1.43 exec-env/AWS_Lambda_python3.13",
            ),
        ],
    ),
    "reads_as_ever": Samples(
        [as_ever],
        [by_instance, changed(as_ever, sourceIPAddress="192.0.2.66"), read(eventID="again")],
    ),
    "met_the_guards_absence": Samples(
        [in_absence, changed(in_absence, eventTime="2026-05-01T12:00:00Z")],
        [
            by_instance,
            changed(in_absence, eventTime="2026-05-01T13:00:00Z"),
            changed(in_absence, sourceIPAddress="192.0.2.66"),
        ],
    ),
    "is_rotating": Samples(
        [
            rotating,
            changed(
                rotating,
                eventName="PutSecretValue",
                requestParameters={"secretId": SECRET, "versionStages": ["AWSPENDING"]},
            ),
            changed(rotating, eventName="UpdateSecretVersionStage", requestParameters=None),
        ],
        [
            changed(rotating, requestParameters={"secretId": SECRET}),
            read(requestParameters=pending),
            # What the caller says of itself does not count.
            read(
                userIdentity=role(session="rotate"),
                requestParameters=pending,
                userAgent="Boto3/1.43 exec-env/AWS_Lambda_python3.13",
            ),
        ],
    ),
    "came_through_aws_endpoint": Samples(
        [through_aws, changed(through_aws, vpcEndpointAccountId="AWS Internal")],
        [through_foreign, through_foreign_account, through_own, by_user],
    ),
}


def case(record: dict[str, Any]) -> Case:
    return Case(parse(record), INVENTORY, EXCEPTIONS)


def without_samples(names: set[str], samples: dict[str, Samples]) -> set[str]:
    """The rules that lack records they must match, or records they must not."""
    lopsided = {name for name, some in samples.items() if not some.must or not some.must_not}
    return (names ^ set(samples)) | lopsided


def test_every_predicate_has_samples_of_both_kinds():
    names = {predicate.__name__ for predicate in PREDICATES}
    assert without_samples(names, SAMPLES) == set()
    assert without_samples(names | {"is_new"}, SAMPLES) == {"is_new"}
    lopsided = SAMPLES | {"used_browser": Samples([in_console], [])}
    assert without_samples(names, lopsided) == {"used_browser"}


@pytest.mark.parametrize("predicate", PREDICATES, ids=lambda predicate: predicate.__name__)
def test_predicate(predicate: Any):
    samples = SAMPLES[predicate.__name__]
    assert [record for record in samples.must if not predicate(case(record))] == []
    assert [record for record in samples.must_not if predicate(case(record))] == []


VERDICTS = {
    Verdict.APPROVED: [
        through_own,
        through_approved,
        through_deleted,
        through_hub,
        changed(in_console, vpcEndpointId=OWN_ENDPOINT),  # Console Private Access
        changed(through_own, userIdentity=None),
        allowed_network_activity,
    ],
    Verdict.SERVICE: [
        *SAMPLES["is_on_owners_behalf"].must,
        service_linked,
        nobodys_event,
        changed(nobodys_event, userIdentity=None, eventName="EndSecretVersionDelete"),
        changed(ROTATION_SUCCEEDED, eventName="RotationFailed", errorMessage="timed out"),
    ],
    Verdict.EXEMPT: [by_guard, excepted, changed(excepted, vpcEndpointId=FOREIGN_ENDPOINT)],
    Verdict.CONSOLE: [
        in_console,
        in_console_through_aws_endpoint,
        changed(in_console, userIdentity=ROOT, sessionCredentialFromConsole=True),
        at_sign_in,
        through_service_console,
        masked_with_service,
    ],
    Verdict.FOREIGN_ENDPOINT: [
        through_foreign,
        through_foreign_account,
        changed(in_console, vpcEndpointId="vpce-0e", vpcEndpointAccountId=OTHER_ACCOUNT),
        changed(console_in_sdk, vpcEndpointId="vpce-0e", sourceIPAddress="10.0.0.9"),
        read(vpcEndpointId="vpce-1bba4172"),
    ],
    Verdict.ENDPOINT_DENIED: [ENDPOINT_DENIED],
    Verdict.BYPASS: [
        by_user,
        by_role,
        by_root,
        liar,
        masked,
        console_in_cli,
        console_in_sdk,
        console_in_shell,
        in_fleet,
        in_masked_fleet,
        by_state_machine,
        by_schedule,
        by_automation,
        by_chat,
        through_service_by_cli,
        untyped_person,
        excepted_too_late,
        service_event_of_a_person,
        read(requestParameters=None, errorCode="AccessDenied"),
        read(userIdentity={**ALICE, "type": "AWSService"}),
        read(sourceIPAddress=...),
        read(vpcEndpointId=None),
        read(vpcEndpointId=""),
        read(userAgent=BROWSER),
    ],
    Verdict.UNREADABLE: [stranger, retyped_endpoint, read(userIdentity=["alice"])],
}


@pytest.mark.parametrize("verdict", Verdict)
def test_verdict(verdict: Verdict):
    for record in VERDICTS[verdict]:
        judgement = judge(parse(record), INVENTORY, EXCEPTIONS)
        assert judgement.verdict is verdict, (judgement, record)
        silent = verdict in (Verdict.APPROVED, Verdict.SERVICE, Verdict.EXEMPT)
        assert judgement.alert is not silent
        assert (judgement.severity is Severity.INFO) is silent
        assert bool(judgement.todo) is not silent
        assert judgement.cause
        assert dict(judgement.predicates).keys() == set(SAMPLES)


def test_without_named_accounts_the_account_a_record_came_to_is_own():
    unknown = Inventory()
    assert judge(parse(through_deleted), unknown).verdict is Verdict.APPROVED
    assert judge(parse(through_foreign_account), unknown).verdict is Verdict.FOREIGN_ENDPOINT
    elsewhere = Inventory(accounts=frozenset({OTHER_ACCOUNT}))
    assert judge(parse(through_deleted), elsewhere).verdict is Verdict.FOREIGN_ENDPOINT


@pytest.mark.parametrize(
    ("record", "severity"),
    [
        (read(), Severity.HIGH),
        (read(eventName="BatchGetSecretValue"), Severity.HIGH),
        (read(eventName="PutSecretValue"), Severity.HIGH),
        (read(eventName="DeleteSecret"), Severity.HIGH),
        (read(eventName="DeleteSecret", userIdentity=alice_for_an_hour), Severity.MEDIUM),
        (changed(by_role, eventName="DeleteSecret"), Severity.MEDIUM),
        (changed(by_role, eventName="SomethingNew"), Severity.MEDIUM),
        (read(eventName="DeleteSecret", errorCode="AccessDenied"), Severity.LOW),
        (read(eventName="DeleteSecret", sourceIPAddress="203.0.113.99"), Severity.MEDIUM),
        (by_role, Severity.HIGH),
        (read(eventName="ListSecrets"), Severity.LOW),
        (read(eventName="ListSecrets", userIdentity=ROOT), Severity.MEDIUM),
        (read(errorCode="AccessDenied"), Severity.MEDIUM),
        (read(eventName="ListSecrets", errorCode="AccessDenied"), Severity.LOW),
        (read(userIdentity=ROOT), Severity.HIGH),
        (read(userIdentity=ROOT, errorCode="AccessDenied"), Severity.HIGH),
        (
            read(userIdentity=ROOT, eventName="ListSecrets", errorCode="AccessDenied"),
            Severity.MEDIUM,
        ),
        (through_foreign, Severity.HIGH),
        (changed(through_foreign, eventName="ListSecrets"), Severity.HIGH),
        (changed(through_foreign, errorCode="AccessDenied"), Severity.MEDIUM),
        (by_instance, Severity.HIGH),
        (as_ever, Severity.MEDIUM),
        (by_instance_elsewhere, Severity.HIGH),
        (changed(by_instance_elsewhere, eventID="again"), Severity.HIGH),
        (changed(by_instance_elsewhere, eventName="ListSecrets"), Severity.MEDIUM),
        (rotating, Severity.MEDIUM),
        (changed(through_aws, userIdentity=role()), Severity.MEDIUM),
        (changed(through_aws, userIdentity=alice_for_an_hour), Severity.MEDIUM),
        (through_aws, Severity.HIGH),
        (changed(through_aws, userIdentity=ROOT), Severity.HIGH),
        (in_console, Severity.LOW),
        (console_in_cli, Severity.HIGH),
        (console_in_sdk, Severity.HIGH),
        (console_in_shell, Severity.HIGH),
        (changed(console_in_cli, eventName="ListSecrets"), Severity.LOW),
        (changed(console_in_cli, errorCode="AccessDenied"), Severity.MEDIUM),
        (in_fleet, Severity.MEDIUM),
        (by_state_machine, Severity.MEDIUM),
        (relayed("states", eventName="ListSecrets"), Severity.LOW),
        (
            read(userIdentity=ROOT, **SERVICE),
            Severity.HIGH,
        ),
        (changed(in_console, userIdentity=SIGNED_ON), Severity.LOW),
        (through_service_console, Severity.LOW),
        (root_in_console, Severity.HIGH),
        (changed(root_in_console, errorCode="AccessDenied"), Severity.MEDIUM),
        (changed(root_in_console, eventName="DescribeSecret"), Severity.MEDIUM),
        (changed(root_in_console, eventName="DeleteSecret"), Severity.MEDIUM),
        (ENDPOINT_DENIED, Severity.MEDIUM),
        (changed(ENDPOINT_DENIED, eventName="DescribeSecret"), Severity.MEDIUM),
        (denied_to_user, Severity.HIGH),
        (denied_to_root, Severity.HIGH),
        (denied_to_signed_on, Severity.HIGH),
        (changed(denied_to_user, eventName="DescribeSecret"), Severity.MEDIUM),
        (changed(denied_to_root, eventName="DescribeSecret"), Severity.MEDIUM),
        (denied_to_role, Severity.MEDIUM),
        (changed(denied_to_role, eventName="DeleteSecret"), Severity.MEDIUM),
        (denied_read, Severity.LOW),
        (stranger, Severity.LOW),
        (changed(by_root, vpcEndpointId={"id": OWN_ENDPOINT}), Severity.HIGH),
    ],
)
def test_severity(record: dict[str, Any], severity: Severity):
    assert judge(parse(record), INVENTORY).severity is severity


@pytest.mark.parametrize("name", ["GetSecretValue", "ListSecrets", "DeleteSecret"])
@pytest.mark.parametrize("error", [..., "AccessDenied"])
def test_root_is_never_published_softly(name: str, error: Any):
    for record in [one for some in VERDICTS.values() for one in some]:
        rooted = changed(record, userIdentity=ROOT, eventName=name, errorCode=error)
        judgement = judge(parse(rooted), INVENTORY, EXCEPTIONS)
        least = Severity.HIGH if (name, error) == ("GetSecretValue", ...) else Severity.MEDIUM
        assert not judgement.alert or judgement.severity.rank >= least.rank, rooted


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("GetSecretValue", Reach.VALUE),
        ("UpdateSecret", Reach.VALUE),
        ("GetResourcePolicy", Reach.METADATA),
        ("ValidateResourcePolicy", Reach.METADATA),
        ("DescribeSecret", Reach.METADATA),
        ("PutResourcePolicy", Reach.CHANGE),
        ("RotateSecret", Reach.CHANGE),
    ],
)
def test_reach(name: str, expected: Reach):
    assert reach(parse(read(eventName=name))) is expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("198.51.100.7", Origin.PUBLIC),
        ("10.0.0.1", Origin.PRIVATE),
        ("100.64.0.1", Origin.PRIVATE),
        ("AWS Internal;", Origin.AWS),
        ("kms.amazonaws.com", Origin.AWS),
        ("-", Origin.UNCLEAR),
        ("", Origin.ABSENT),
    ],
)
def test_origin(source: str, expected: Origin):
    assert origin(parse(read(sourceIPAddress=source))) is expected


def test_an_expired_exception_is_named_in_the_cause():
    judgement = judge(parse(excepted_too_late), INVENTORY, EXCEPTIONS)
    assert judgement.expired == ("ci",)
    assert "expired: ci" in judgement.cause


def test_the_exception_that_was_used_is_named():
    judgement = judge(parse(excepted), INVENTORY, EXCEPTIONS)
    assert (judgement.exemption, judgement.expired) == ("ci", ())
    assert "Runners have no VPC yet" in judgement.cause


def test_an_exception_is_not_used_where_there_is_nothing_to_except():
    record = changed(excepted, vpcEndpointId=OWN_ENDPOINT)
    judgement = judge(parse(record), INVENTORY, EXCEPTIONS)
    assert (judgement.verdict, judgement.exemption) == (Verdict.APPROVED, "")


def test_a_refusal_at_the_endpoint_can_be_excepted():
    refused = changed(ENDPOINT_DENIED, userIdentity=role("ci-runner"))
    assert judge(parse(refused), INVENTORY, EXCEPTIONS).verdict is Verdict.EXEMPT


# Causes


def test_the_cause_is_the_nat_gateway_of_an_own_vpc():
    judgement = judge(parse(read(sourceIPAddress="203.0.113.99")), INVENTORY)
    assert "vpc-0a" in judgement.cause
    assert "vpc-0a" in judgement.todo[0]


def test_the_cause_is_a_function_without_vpc():
    function = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:report"
    identity = role(inScopeOf={"issuerType": "AWS::Lambda::Function", "sourceArn": function})
    judgement = judge(parse(read(userIdentity=identity)), INVENTORY)
    assert function in judgement.cause
    assert judgement.todo[0] == "Attach the function to a VPC that has the endpoint."


def test_the_cause_is_an_instance():
    judgement = judge(parse(by_role), INVENTORY)
    assert "i-0123456789abcdef0" in judgement.cause


def test_the_cause_is_that_credentials_are_used_elsewhere():
    judgement = judge(parse(by_instance_elsewhere), INVENTORY)
    assert "the credentials of instance i-0aaaaaaaaaaaaaaaa in vpc-0a" in judgement.cause
    assert "192.0.2.66, which nothing in this account has" in judgement.cause
    assert "treat the credentials" in judgement.todo[0]


def test_credentials_of_no_workload_are_not_used_elsewhere_whatever_the_address():
    """Only what runs in a VPC has a place that its credentials are to stay in."""
    at_nat = replace(INVENTORY, strangers=frozenset({"203.0.113.99"}))
    person = read(userIdentity=ALICE, sourceIPAddress="203.0.113.99")
    assert "used elsewhere" not in judge(parse(person), at_nat).reason
    assert judge(parse(by_instance), at_nat).reason.startswith("credentials used elsewhere")


def test_the_cause_names_the_foreign_endpoint_and_its_owner():
    judgement = judge(parse(through_foreign_account), INVENTORY)
    assert FOREIGN_ENDPOINT in judgement.cause
    assert OTHER_ACCOUNT in judgement.cause


def test_the_cause_names_what_could_not_be_read():
    assert "vpcEndpointId" in judge(parse(retyped_endpoint), INVENTORY).cause


def test_the_cause_says_that_console_credentials_left_the_browser():
    judgement = judge(parse(console_in_cli), INVENTORY)
    assert "command line or SDK used the credentials of a console session" in judgement.cause
    assert "198.51.100.7" in judgement.cause
    assert "revoke the sessions" in judgement.todo[0]
    assert "AWS CloudShell" in judge(parse(console_in_shell), INVENTORY).cause
    assert "CloudShell" not in judge(parse(console_in_sdk), INVENTORY).cause


@pytest.mark.parametrize("record", [in_fleet, in_masked_fleet, by_schedule, by_automation])
def test_the_cause_names_the_service_whose_user_chose_the_request(record: dict[str, Any]):
    judgement = judge(parse(record), INVENTORY)
    assert record["sourceIPAddress"] in judgement.cause
    assert "not the service" in judgement.cause
    assert record["userIdentity"]["arn"] in judgement.todo[0]


PUBLIC = f"secretsmanager.{REGION}.amazonaws.com"


@pytest.mark.parametrize(
    ("host", "cause", "todo"),
    [
        (f"secretsmanager-fips.{REGION}.amazonaws.com", "the FIPS name", "-fips with private DNS"),
        (f"SecretsManager-FIPS.{REGION}.amazonaws.com.", "the FIPS name", "-fips with private DNS"),
        (f"secretsmanager-fips.{REGION}.api.aws", "the FIPS name", "-fips with private DNS"),
        (f"secretsmanager.{REGION}.api.aws", "the dual-stack name", "the plain name"),
        ("secretsmanager.us-east-1.amazonaws.com", "another Region", f"ask in {REGION}"),
        (f"vpce-0a-b.secretsmanager.{REGION}.vpce.amazonaws.com", "an endpoint itself", "resolves"),
        (PUBLIC, "its endpoint works", "resolves"),
        (..., "its endpoint works", "resolves"),
        ("proxy.example.com", "its endpoint works", "resolves"),
        ("secretsmanager.corp.example.com", "its endpoint works", "resolves"),
        ("secretsmanager.amazonaws.com", "its endpoint works", "resolves"),
        (f"{PUBLIC}:443", "its endpoint works", "resolves"),
        (f"secretsmanager.{REGION}.api.aws:443", "the dual-stack name", "the plain name"),
        (f"secretsmanager-fips.{REGION}.amazonaws.com:443", "the FIPS name", "private DNS"),
        (f"vpce-0a-b.secretsmanager.{REGION}.vpce.amazonaws.com:443", "itself", "resolves"),
        (
            "secretsmanager.eusc-de-east-1.api.amazonwebservices.eu",
            "another Region",
            f"ask in {REGION}",
        ),
    ],
)
def test_the_cause_follows_the_name_that_was_asked_for(host: Any, cause: str, todo: str):
    place = CallerLocation(
        via="NAT gateway nat-0a",
        vpc_id="vpc-0a",
        trouble="its endpoint works, so the caller does not resolve the service's name to it",
    )
    known = Inventory(accounts=frozenset({ACCOUNT}), locations={"198.51.100.7": place})
    judgement = judge(parse(read(tlsDetails={"clientProvidedHostHeader": host})), known)
    assert cause in judgement.cause
    assert todo in judgement.todo[0]


# The guard's own absence


@pytest.mark.parametrize(
    ("record", "severity"),
    [
        (changed(in_absence, eventID="again"), Severity.LOW),
        (in_absence, Severity.MEDIUM),
        (changed(in_absence, eventTime="2026-05-01T13:00:00Z"), Severity.HIGH),
    ],
    ids=["reads as ever", "first read", "the endpoint was back"],
)
def test_who_met_the_guards_absence_had_no_other_way(record, severity):
    judgement = judge(parse(record), INVENTORY)
    assert judgement.severity is severity
    blamed = "the guard itself had taken its endpoint at 2026-05-01 12:00 UTC" in judgement.cause
    assert blamed is (severity is not Severity.HIGH)
    assert blamed is judgement.todo[0].startswith("See the VPC's finding stood-down")


def test_a_sessions_name_claims_no_absence():
    named = changed(in_absence, sourceIPAddress="192.0.2.66")
    judgement = judge(parse(named), INVENTORY)
    assert judgement.severity is Severity.HIGH
    assert "the guard itself" not in judgement.cause


# An exception for a VPC

IN_VPC = parse_exceptions(
    {
        "exceptions": [
            {
                "name": "legacy",
                "owner": "o@example.com",
                "reason": "r",
                "expires": "2026-12-31",
                "vpc": "vpc-0a",
            }
        ]
    }
)
in_function = read(
    userIdentity=role(session="chosen"),
    sourceIPAddress="192.0.2.67",
    userAgent="Boto3/1.43 exec-env/AWS_Lambda_python3.13",
)
NAMED = {
    "i-0aaaaaaaaaaaaaaaa": CallerLocation(via="instance", vpc_id="vpc-0a"),
    "chosen": CallerLocation(via="function chosen", vpc_id="vpc-0a"),
    FUNCTION: CallerLocation(via="function rotate", vpc_id="vpc-0a"),
    "203.0.113.99": CallerLocation(via="NAT gateway nat-0a", vpc_id="vpc-0a"),
    "2001:db8::7": CallerLocation(via="instance", vpc_id="vpc-0a"),
}


@pytest.mark.parametrize(
    ("record", "verdict"),
    [
        (read(sourceIPAddress="203.0.113.99"), Verdict.EXEMPT),
        (by_instance, Verdict.EXEMPT),
        (read(sourceIPAddress="2001:DB8:0::0007"), Verdict.EXEMPT),
        (read(sourceIPAddress="::ffff:203.0.113.99"), Verdict.EXEMPT),
        (by_instance_elsewhere, Verdict.BYPASS),
        (changed(by_instance, sourceIPAddress="198.51.100.7"), Verdict.BYPASS),
        (in_function, Verdict.BYPASS),
        (
            read(userIdentity=role(inScopeOf=IN_FUNCTION), sourceIPAddress="198.51.100.7"),
            Verdict.BYPASS,
        ),
        (read(userIdentity=role(session="i-0aaaaaaaaaaaaaaaa"), **SERVICE), Verdict.BYPASS),
    ],
)
def test_an_exception_for_a_vpc_is_met_by_an_address_alone(record: Any, verdict: Verdict):
    known = Inventory(accounts=frozenset({ACCOUNT}), locations=NAMED)
    assert judge(parse(record), known, IN_VPC).verdict is verdict


# What each rule said


@pytest.mark.parametrize(
    ("way", "also", "verdict"),
    [
        ({"vpcEndpointId": "vpce-0e", "vpcEndpointAccountId": OTHER_ACCOUNT}, {}, "foreign"),
        ({"vpcEndpointId": "vpce-0e"}, {}, "foreign"),
        ({"vpcEndpointId": "vpce-0e"}, {"endpoint": "vpce-0e"}, "exempt"),
        ({"vpcEndpointId": OWN_ENDPOINT, "vpcEndpointAccountId": ACCOUNT}, {}, "approved"),
        ({}, {}, "exempt"),
        ({"vpcEndpointId": "vpce-0e", "sourceIPAddress": "203.0.113.9"}, {}, "exempt"),
    ],
)
def test_a_private_network_says_nothing_of_a_strangers_endpoint(way: Any, also: Any, verdict: str):
    excepted = {"name": "n", "owner": "o", "reason": "r", "expires": "2026-12-31", **also}
    networks = {"cidr": ["10.0.0.0/16", "203.0.113.0/24"]}
    exceptions = parse_exceptions({"exceptions": [{**excepted, **networks}]})
    record = parse(read(**({"sourceIPAddress": "10.0.0.9"} | way)))
    assert judge(record, INVENTORY, exceptions).verdict.startswith(verdict)


def test_an_explanation_says_of_each_rule_what_it_asked_and_what_it_saw():
    said = {name: (answer, reason) for name, answer, reason in explain(parse(by_user), INVENTORY)}
    assert said.keys() == set(SAMPLES)
    assert said["came_from_address"] == (
        True,
        (
            "It came from an address of the internet, or from one that is masked?"
            " sourceIPAddress is '198.51.100.7'."
        ),
    )
    assert said["was_invoked_by_service"][1].endswith("invokedBy is absent.")
    assert "for a person is came_from_address" in said["is_on_owners_behalf"][1]


def test_an_explanation_names_the_exception_and_keeps_long_texts_short():
    said = {one.name: one for one in explain(parse(excepted), INVENTORY, EXCEPTIONS)}
    assert said["is_excepted"].answer
    assert "the exception is 'ci'" in said["is_excepted"].reason
    huge = parse(read(userAgent="x" * 100_000))
    assert all(len(one.reason) < 1_000 for one in explain(huge, INVENTORY))


# Any shape at all


@given(damaged())
def test_every_record_gets_a_verdict(value: Any):
    try:
        record = parse(value)
    except UnreadableRecord:
        return
    judgement = judge(record, INVENTORY, EXCEPTIONS)
    said = explain(record, INVENTORY, EXCEPTIONS)
    assert tuple((one.name, one.answer) for one in said) == judgement.predicates
    assert judgement.cause
    assert judgement.alert or judgement.verdict in (
        Verdict.APPROVED,
        Verdict.SERVICE,
        Verdict.EXEMPT,
    )


@given(
    st.sampled_from(["userAgent", "eventType", "requestParameters", "eventName", "readOnly"]),
    st.sampled_from(["secretsmanager.amazonaws.com", "AwsServiceEvent", "AWS Internal"]),
)
def test_no_single_field_makes_a_person_a_service(field: str, value: str):
    assert judge(parse(read(**{field: value})), INVENTORY).alert
