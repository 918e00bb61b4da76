"""What AWS itself says of a policy before it is attached: IAM Access Analyzer's ValidatePolicy.

It is asked where there are credentials. Where there are none, or AWS does not answer, the caller is
informed why nothing was asked: the project's own checks never hang on it.

IAM: access-analyzer:ValidatePolicy.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

TYPES = {
    "secret": "RESOURCE_POLICY",
    "endpoint": "RESOURCE_POLICY",
    "rcp": "RESOURCE_CONTROL_POLICY",
    "scp": "SERVICE_CONTROL_POLICY",
}
"""What ValidatePolicy calls each kind of policy."""


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that AWS says. `level` is ERROR, SECURITY_WARNING, WARNING or SUGGESTION."""

    level: str
    code: str
    place: str
    text: str


class NotAsked(Exception):
    """AWS was not asked, or did not answer; the message says why."""


def analyzer(profile: str | None = None, region: str | None = None) -> Any:
    """A client of Access Analyzer. Raises NotAsked where there are no credentials."""
    # botocore alone: a check of policies starts without boto3.
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    try:
        session = Session(profile=profile)
        if session.get_credentials() is None:
            raise NotAsked("there are no credentials")
        place = region or session.get_config_variable("region")
        if not place:
            raise NotAsked("no Region is configured")
        once = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 2})
        return session.create_client("accessanalyzer", region_name=place, config=once)
    except BotoCoreError as error:
        raise NotAsked(str(error)) from error


def validate(client: Any, text: str, kind: str) -> list[Said]:
    """What AWS says of a policy's text, the gravest first. Raises NotAsked."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        pages = client.get_paginator("validate_policy").paginate(
            policyDocument=text, policyType=TYPES[kind]
        )
        found = [said for page in pages for said in _said(page["findings"])]
    except (BotoCoreError, ClientError) as error:
        raise NotAsked(str(error)) from error
    return sorted(found, key=lambda one: _LEVELS.index(one.level))


ERROR = "ERROR"
_LEVELS = (ERROR, "SECURITY_WARNING", "WARNING", "SUGGESTION")


def _said(findings: list[dict[str, Any]]) -> Iterator[Said]:
    for one in findings:
        (first, *_) = one.get("locations") or [{}]
        yield Said(one["findingType"], one["issueCode"], _place(first), one["findingDetails"])


def _place(location: dict[str, Any]) -> str:
    """Where in the document, such as `Statement[0].Condition`."""
    place = ""
    for step in location.get("path", []):
        if "index" in step:
            place += f"[{step['index']}]"
        elif name := step.get("key") or step.get("value"):
            place += f".{name}" if place else str(name)
    return place or "document"
