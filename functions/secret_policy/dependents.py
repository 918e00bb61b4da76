"""Who would be cut off by a correction: a rotation function, a replica's readers, readers of late.

A policy that was whole within a day before is put back without asking: nobody has come to rely on
a gap that is younger. Where a secret's policy stood open for longer, it may be by mistake or on
purpose, so what is known to need the gap has the correction wait for a person.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from guard.aws.errors import code_of, refused
from guard.cloudtrail.event_history import EventHistory
from guard.cloudtrail.record import Record
from guard.cloudtrail.resource_ids import secret_id
from guard.table.items import Items
from secret_policy.perimeter import Perimeter, Secret

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

SEEN = timedelta(days=7)
WHOLE = timedelta(days=1)
MOST = 10  # readers that are named


@dataclass(frozen=True, slots=True)
class Held:
    """Why a correction is held back, in words; empty if nothing is known to need the gap.

    `lacking` says what could not be read.
    """

    why: tuple[str, ...] = ()
    lacking: str = ""


@dataclass(frozen=True, slots=True)
class Dependents:
    """Needs lambda:GetFunctionConfiguration, cloudtrail:LookupEvents, dynamodb:GetItem and
    dynamodb:UpdateItem; methods raise ClientError or BotoCoreError.
    """

    functions: "LambdaClient"
    history: EventHistory
    items: Items

    def note_whole(self, secret: Secret, now: datetime) -> None:
        """The policy of the secret keeps the perimeter now."""
        self.items.put(self._key(secret), {"whole": 1}, expires=now + WHOLE)

    def of(self, secret: Secret, inside: Perimeter, changed: datetime, now: datetime) -> Held:
        """Who would be cut off. `changed`: reads from then on were let in by the very change."""
        if self.items.get(self._key(secret), now):
            return Held()
        seen = self.history.calls("GetSecretValue", now - SEEN)
        known = (one for one in seen.records if one.event_time < changed)
        why = (*self._rotation(secret, inside), *_replicas(secret), *readers(known, secret, inside))
        return Held(why, seen.lacking)

    def _key(self, secret: Secret) -> str:
        return self.items.name("secret-whole", secret.arn)

    def _rotation(self, secret: Secret, inside: Perimeter) -> Iterator[str]:
        if not (arn := secret.rotation_function):
            return
        name = arn.rpartition(":")[2]
        try:
            config: Any = self.functions.get_function_configuration(FunctionName=arn)
        except ClientError as error:
            if not refused(error):
                raise
            if code_of(error) != "ResourceNotFoundException":
                yield f"where its rotation function {name} runs cannot be read: {code_of(error)}"
            return
        vpc_id = config.get("VpcConfig", {}).get("VpcId", "")
        if vpc_id in inside.served_vpc_ids or inside.exceptions.has_principal(config["Role"]):
            return
        yield f"its rotation function {name} runs {f'in {vpc_id}' if vpc_id else 'in no VPC'}"


def _replicas(secret: Secret) -> Iterator[str]:
    if secret.replica_regions:
        yield f"it has readers of its replicas in {', '.join(sorted(secret.replica_regions))}"


def readers(records: Iterable[Record], secret: Secret, inside: Perimeter) -> tuple[str, ...]:
    """Who read the secret's value from outside, in words; AWS services and those excepted are not.

    Pure.
    """
    names = {secret.arn, secret.name, secret.arn[: -len("-AbCdEf")]}
    found = dict.fromkeys(
        f"{one.identity.name} read it from {one.source_ip} at {one.event_time:%Y-%m-%d %H:%M} UTC"
        for one in {
            (it.identity.name, it.source_ip): it
            for it in records
            if secret_id(it) in names and not it.failed and _is_outside(it, inside)
        }.values()
    )
    more = len(found) - MOST
    return (*list(found)[:MOST], *([f"{more} others read it from outside"] if more > 0 else []))


def _is_outside(record: Record, inside: Perimeter) -> bool:
    who = record.identity
    if who.type == "AWSService" or who.invoked_by or record.vpc_endpoint_id in inside.endpoint_ids:
        return False
    excepted = inside.exceptions
    if not record.vpc_endpoint_id and excepted.has_network(record.source_ip):
        return False
    return not excepted.has_principal(who.issuer_arn or who.arn)
