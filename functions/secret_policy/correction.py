"""How a secret's resource policy is corrected, so that it keeps the value inside. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from guard.policy import MAX_CHARACTERS, PolicyError
from secret_policy.perimeter import (
    NOBODYS_SERVICE,
    READ_VALUE,
    SID,
    Perimeter,
    document_of,
    gaps,
    statements,
)

VERSION = "2012-10-17"


class NotCorrectable(ValueError):
    """There is no corrected policy; the message says why."""


@dataclass(frozen=True, slots=True)
class Corrected:
    """A corrected policy; `without` names the statements of the present one that it leaves out."""

    text: str
    without: tuple[str, ...] = ()


def corrected(text: str | None, secret_arn: str, perimeter: Perimeter) -> str:
    """The first of `corrections`."""
    return corrections(text, secret_arn, perimeter)[0].text


def corrections(text: str | None, secret_arn: str, perimeter: Perimeter) -> tuple[Corrected, ...]:
    """The policy with one statement that closes the perimeter, in place of ours: the first with all
    other statements, then without those that let in everybody, for where AWS refuses the public.

    Each lets in nobody whom the present policy keeps out. Raises NotCorrectable where nothing is
    inside the perimeter, the present policy is no JSON object, or each would be too large.
    """
    if perimeter.empty:
        raise NotCorrectable(
            "no VPC has an endpoint for Secrets Manager, and none is approved: nobody could read it"
        )
    document: dict[str, Any] = {"Version": VERSION, "Statement": []}
    try:
        if text is not None:
            document = document_of(text)
        kept = [one for one in statements(document) if one.get("Sid") != SID]
    except PolicyError as error:
        raise NotCorrectable(f"the present policy cannot be read: {error}") from error
    statement = closing(perimeter)
    found: dict[str, Corrected] = {}
    for lets_in in (lambda _: False, lets_in_everybody, names_everybody):
        less = [one for one in kept if not lets_in(one)]
        whole = _written({**document, "Statement": [*less, statement]})
        without = tuple(str(one.get("Sid", "one without a Sid")) for one in kept if lets_in(one))
        found.setdefault(whole, Corrected(whole, without))
    fitting = [one for one in found.values() if len(one.text) <= MAX_CHARACTERS]
    if not fitting:
        raise NotCorrectable(f"with the perimeter it has {len(whole):,} characters, too many")
    if left := gaps(fitting[0].text, secret_arn, perimeter):
        raise NotCorrectable(f"with the perimeter it is still open: {left[0]}")
    return tuple(fitting)


def names_everybody(statement: Mapping[str, Any]) -> bool:
    """Whether a statement allows something to anybody, be it on a condition."""
    principal: Any = statement.get("Principal")
    named = cast("Mapping[str, Any]", principal) if isinstance(principal, Mapping) else {}
    aws = named.get("AWS", principal)
    everybody = "*" in (aws if isinstance(aws, list) else [aws])
    return statement.get("Effect") == "Allow" and (everybody or "NotPrincipal" in statement)


def lets_in_everybody(statement: Mapping[str, Any]) -> bool:
    """Whether a statement allows something to anybody without any condition."""
    return names_everybody(statement) and not statement.get("Condition")


def _written(document: Mapping[str, Any]) -> str:
    """A policy's text: readable if it may be so long."""
    whole = json.dumps(document, indent=2, ensure_ascii=False)
    if len(whole) > MAX_CHARACTERS:
        whole = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    return whole


def closing(perimeter: Perimeter) -> dict[str, Any]:
    """The statement that denies reading the value from outside the perimeter."""
    outside: dict[str, list[str]] = {}
    if perimeter.served_vpc_ids:
        outside["aws:SourceVpc"] = sorted(perimeter.served_vpc_ids)
    if perimeter.extra_endpoint_ids:
        outside["aws:SourceVpce"] = sorted(perimeter.extra_endpoint_ids)
    linked = f"arn:{perimeter.partition}:iam::{perimeter.account}:role/aws-service-role/*"
    let_in = perimeter.exceptions.conditions(linked)
    outside |= let_in.pop("StringNotEqualsIfExists", {})
    return {
        "Sid": SID,
        "Effect": "Deny",
        "Principal": "*",
        "Action": READ_VALUE,
        "Resource": "*",
        "Condition": {
            "StringNotEqualsIfExists": outside,
            "BoolIfExists": dict(NOBODYS_SERVICE),
            **let_in,
        },
    }
