"""What is approved beside policies, by review: endpoints and VPCs of others, and the organization.

The file is JSON, kept in git beside the approved policies and read at cold start:

    {"organization": "o-a1b2c3d4e5",
     "endpoints": [{"id": "vpce-0a1b2c3d4e5f60718", "reason": "Endpoint of the network team"}],
     "vpcs": [{"id": "vpc-0a1b2c3d4e5f60718", "reason": "Build servers, account 111122223333"}],
     "networks": [{"id": "203.0.113.0/24", "reason": "The office"}],
     "principals": [{"id": "arn:aws:iam::111122223333:role/service-role/*", "reason": "Glue"}],
     "principal_tags": [{"id": "network-perimeter-exception=true", "reason": "Break glass"}]}

`organization` fills `${OrgId}` in an approved policy. Through `endpoints` secrets may be reached,
and from `vpcs` secrets in the perimeter may be read, besides those of the account and Region.
Secrets in the perimeter may also be read from `networks` over the internet, and from anywhere by
`principals` and by principals with one of the `principal_tags` (`key!=value`: by those without).
`refusals` are callers whom a new endpoint or policy may cut off, although they were seen of late;
for an account that a subnet is shared with, its root (`arn:aws:iam::111122223333:root`).
`approved.schema.json` beside the file says the same to editors.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Self, cast

from guard.settings import LAYER_FOLDER

FILE_NAME = "approved.json"  # in the layer of approved policies, beside their folder
FORMS = {
    "endpoints": re.compile(r"vpce-([0-9a-f]{8}|[0-9a-f]{17})", re.ASCII),
    "vpcs": re.compile(r"vpc-([0-9a-f]{8}|[0-9a-f]{17})", re.ASCII),
    # Of a network, at least its first eight bits.
    "networks": re.compile(r"[0-9a-f:.]+/([89]|[1-9]\d|1[01]\d|12[0-8])", re.ASCII),
    # Of roles of any account, those alone that AWS keeps for itself.
    "principals": re.compile(
        r"arn:aws[a-z-]*:iam::(\d{12}:(role|user)/[\w+=,.@/*-]+"
        r"|\*:role/(aws-service-role/|aws:)[\w+=,.@/*-]*)",
        re.ASCII,
    ),
    "refusals": re.compile(
        r"arn:aws[a-z-]*:(iam|sts|organizations)::\d{12}:[\w+=,.@:/*-]+", re.ASCII
    ),
    "principal_tags": re.compile(r"[\w:/.+@-]+!?=[\w:/.+@ -]+", re.ASCII),
}
ORGANIZATION = re.compile(r"(o-[a-z0-9]{10,32})?", re.ASCII)


class ApprovedListsError(ValueError):
    """Raised when the file cannot be used; lists everything that is wrong."""


@dataclass(frozen=True, slots=True)
class ApprovedLists:
    """The content of the file. Without an organization `organization` is empty."""

    endpoints: frozenset[str] = frozenset()
    vpcs: frozenset[str] = frozenset()
    networks: frozenset[str] = frozenset()
    principals: frozenset[str] = frozenset()
    principal_tags: frozenset[str] = frozenset()
    refusals: frozenset[str] = frozenset()
    organization: str = ""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read the deployed file. A layer without one approves nothing.

        Raises ApprovedListsError for a file that is wrong: to judge without it would be a guess.
        """
        folder = Path(env.get("APPROVED_POLICIES_DIR", LAYER_FOLDER)).parent
        return cls.load(folder / FILE_NAME) if (folder / FILE_NAME).exists() else cls()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read and check a file. Raises ApprovedListsError, or OSError if there is none."""
        try:
            return cls.parse(json.loads(path.read_text(encoding="utf-8")))
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ApprovedListsError(f"not JSON: {error}") from error

    @classmethod
    def parse(cls, body: object) -> Self:
        """Check the file's content; ApprovedListsError has a line for each mistake."""
        if mistakes := list(_mistakes(body)):
            raise ApprovedListsError("\n".join(mistakes))
        content = cast(Mapping[str, Any], body)
        listed = {key: frozenset(one["id"] for one in content.get(key, [])) for key in FORMS}
        return cls(organization=content.get("organization", ""), **listed)


def _mistakes(body: object) -> Iterator[str]:
    if not isinstance(body, Mapping):
        yield "the file must be an object"
        return
    content = cast(Mapping[str, object], body)
    known = ("$schema", "organization", *FORMS)
    yield from (f"{key!r} is not known" for key in content if key not in known)
    organization = content.get("organization", "")
    if not isinstance(organization, str) or not ORGANIZATION.fullmatch(organization):
        yield "'organization' must be an id such as o-a1b2c3d4e5, or empty"
    for key in FORMS:
        yield from _mistakes_of_list(key, content.get(key, []))


def _mistakes_of_list(key: str, entries: object) -> Iterator[str]:
    if not isinstance(entries, list):
        yield f"{key!r} must be a list"
        return
    seen: set[str] = set()
    for number, entry in enumerate(cast(list[object], entries)):
        place = f"{key}[{number}]"
        if not isinstance(entry, dict) or {*cast(dict[str, object], entry)} != {"id", "reason"}:
            yield f"{place}: must be an object with an id and a reason"
            continue
        one = cast(dict[str, object], entry)
        if not isinstance(one["id"], str) or not _is_id(key, one["id"]):
            yield f"{place}: {one['id']!r} is no id of one of the {key}"
        elif one["id"] in seen:
            yield f"{place}: {one['id']} is listed twice"
        else:
            seen.add(one["id"])
        if not isinstance(one["reason"], str) or not one["reason"].strip():
            yield f"{place}: 'reason' must be a text that is not empty"


def _is_id(key: str, text: str) -> bool:
    if key == "networks":
        try:
            ip_network(text)
        except ValueError:
            return False
    return bool(FORMS[key].fullmatch(text))
