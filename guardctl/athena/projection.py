"""What the judgement reads of a record, and nothing else: requests equal in it are one group. Pure.

SQL takes these fields out of the records and counts them; the deployed Python judges one record of
each group, so the judgement is never written a second time. `record_of` makes a group's record.
`tests/fuzz/test_groups.py` runs the SQL and holds groups to records, and changes what is no field
here to show that no judgement changes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from detect_bypass.judge import SECRETS_MANAGER

SECRET = "AWS::SecretsManager::Secret"  # a type of `resources`


class Kind(StrEnum):
    """How a field's value is kept in a group."""

    TEXT = "text"
    ACCOUNT = "account"
    JSON = "json"
    SECRETS = "secrets"


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its column in a group, where it stands in a record, and the SQL that takes it."""

    column: str
    path: tuple[str, ...]
    sql: str
    kind: Kind = Kind.TEXT


def _text(path: str, kind: Kind = Kind.TEXT, sql: str = "") -> Field:
    return Field(path.lower().replace(".", "_"), tuple(path.split(".")), sql or path.lower(), kind)


def _member(path: str, number: str = "") -> Field:
    """A member of what a table has as a text of JSON. As JSON it keeps its type.

    `number` keeps names apart that differ in capitals alone: a column's name has none.
    """
    field = _text(path, Kind.JSON)
    column, name = field.path
    sql = f"json_format(json_extract({column.lower()}, '$.{name}'))"
    return replace(field, column=f"{field.column}{number}", sql=sql)


# What the rules ask of a user agent: whether it is a browser's, a page's of the console, or the
# name of a service, which holds no slash; and two marks that SDKs write. The rest differs
# from caller to caller, and changes no judgement.
_AGENT = r"""CASE
    WHEN useragent IS NULL OR strpos(useragent, '/') = 0 THEN useragent
    ELSE concat(
      CASE
        WHEN strpos(useragent, 'Mozilla/') = 1 THEN 'Mozilla/'
        WHEN regexp_like(useragent, '^\[?(aws-internal/|[A-Za-z0-9]+Console/|AWS-?Console)')
          THEN 'aws-internal/'
        WHEN regexp_like(lower(useragent), '^\s*aws internal/') THEN 'AWS Internal/'
        ELSE 'client/'
      END,
      CASE WHEN strpos(useragent, 'exec-env/CloudShell') > 0
        THEN ' exec-env/CloudShell' ELSE '' END,
      CASE WHEN strpos(useragent, 'exec-env/AWS_Lambda_') > 0
        THEN ' exec-env/AWS_Lambda_' ELSE '' END
    )
  END"""
_SECRETS = f"""json_format(CAST(transform(
    filter(resources, r -> r.type = '{SECRET}'), r -> r.arn
  ) AS JSON))"""

FIELDS: tuple[Field, ...] = (
    _text("eventName"),
    _text("awsRegion"),
    _text("recipientAccountId", Kind.ACCOUNT),
    _text("eventType"),
    _text("eventCategory"),
    _text("errorCode"),
    _text("sourceIPAddress"),
    _text("userAgent", sql=_AGENT),
    _text("vpcEndpointId"),
    _text("vpcEndpointAccountId", Kind.ACCOUNT),
    _text("sessionCredentialFromConsole"),
    _text("userIdentity.type"),
    _text("userIdentity.arn"),
    _text("userIdentity.principalId"),
    _text("userIdentity.accountId", Kind.ACCOUNT),
    _text("userIdentity.userName"),
    # A key that lasts begins with AKIA; no rule asks for more of it.
    _text("userIdentity.accessKeyId", sql="substr(useridentity.accesskeyid, 1, 4)"),
    _text("userIdentity.invokedBy"),
    _text("userIdentity.sessionContext.sessionIssuer.arn"),
    _text("userIdentity.sessionContext.sessionIssuer.userName"),
    _text("userIdentity.inScopeOf.issuerType"),
    _text("userIdentity.inScopeOf.sourceArn"),
    _text("userIdentity.inScopeOf.credentialsIssuedTo"),
    _text("tlsDetails.clientProvidedHostHeader"),
    _text("resources", Kind.SECRETS, _SECRETS),
    _member("requestParameters.secretId"),
    _member("requestParameters.secretIdList"),
    _member("requestParameters.name"),
    _member("requestParameters.versionId"),
    _member("requestParameters.versionStage"),
    _member("requestParameters.versionStages"),
    _member("requestParameters.kmsKeyId"),
    _member("requestParameters.recoveryWindowInDays"),
    _member("requestParameters.forceDeleteWithoutRecovery"),
    _member("requestParameters.rotationLambdaARN"),
    _member("requestParameters.blockPublicPolicy"),
    _member("responseElements.arn"),
    _member("responseElements.aRN", "_2"),
    _member("responseElements.ARN", "_3"),
    _member("additionalEventData.SecretId"),
    _member("additionalEventData.ARN"),
    _member("additionalEventData.Name"),
)
# An exception may expire, so requests of two days are never one group.
DAY = "day"
COUNTS: Mapping[str, str] = {
    "requests": "count(*)",
    "first_seen": "min(eventtime)",
    "last_seen": "max(eventtime)",
    "example": "max_by(eventid, eventtime)",
}


COLUMNS = (DAY, *(field.column for field in FIELDS), *COUNTS)
"""A group's columns, in their order."""


def record_of(group: Mapping[str, Any], when: str = "first_seen") -> dict[str, Any]:
    """A record for which the judgement is that of every request in the group.

    `when` says which of the group's times it has.
    """
    record: dict[str, Any] = {
        "eventSource": SECRETS_MANAGER,
        "eventTime": group[when],
        "eventID": group["example"],
    }
    for field in FIELDS:
        if (value := group[field.column]) is not None:
            _put(record, field.path, _value(field.kind, value))
    return record


def _value(kind: Kind, value: str) -> Any:
    match kind:
        case Kind.TEXT:
            return value
        case Kind.ACCOUNT:
            # CloudTrail writes some ids as numbers, without their leading zeros.
            return value.zfill(12) if value.isdecimal() else value
        case Kind.JSON:
            return json.loads(value)
        case Kind.SECRETS:
            return [{"type": SECRET, "ARN": arn} for arn in json.loads(value)]


def _put(record: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    *outer, name = path
    for step in outer:
        record = record.setdefault(step, {})
    record[name] = value
