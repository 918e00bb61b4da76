"""Who made a call, and with which tool: for findings, the history, and to name who fights. Pure.

A user agent is what the caller says of itself, so the tool is a hint for people and decides
nothing. The forms are those of the tools' own HTTP clients; calls that a service makes for somebody
carry the service's host name ("CloudTrail record contents", userAgent).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from guard.cloudtrail.record import Record
from guard.partitions import ANY_DOMAIN

MOST = 10  # callers that are published and kept: of a storm, the last ones

# The first that is found in the user agent. CDK deploys through CloudFormation, and names itself
# only where it calls by itself; Pulumi's and Crossplane's providers are built upon Terraform's.
_TOOLS = (
    ("Pulumi", re.compile(r"pulumi", re.IGNORECASE)),
    ("Crossplane", re.compile(r"crossplane", re.IGNORECASE)),
    ("Terraform", re.compile(r"terraform|opentofu", re.IGNORECASE)),
    ("CDK", re.compile(r"\baws-cdk|\bcdk-", re.IGNORECASE)),
    ("CloudFormation", re.compile(rf"\bcloudformation\.{ANY_DOMAIN}", re.IGNORECASE)),
    ("Ansible", re.compile(r"ansible", re.IGNORECASE)),
    (
        "console",
        re.compile(
            r"console(\.[a-z0-9-]+)?\.amazonaws|signin\.amazonaws|ConsoleFrontend|^\[?(S3Console|"
            r"EC2Console)|^Mozilla/",
            re.IGNORECASE,
        ),
    ),
    ("AWS CLI", re.compile(r"\baws-cli/", re.IGNORECASE)),
    ("AWS SDK", re.compile(r"\b(boto3|botocore|aws-sdk-[a-z0-9-]+)/", re.IGNORECASE)),
    (
        "an AWS service",
        re.compile(rf"^[a-z0-9.-]+\.{ANY_DOMAIN}$|^AWS Internal", re.IGNORECASE),
    ),
)


def tool_of(user_agent: str, *, from_console: bool = False) -> str:
    """The tool by its user agent, in the words ops use; empty if it is none that is known."""
    for name, shape in _TOOLS:
        if shape.search(user_agent):
            return name
    return "console" if from_console else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who made one call, from where, with what."""

    principal: str
    source_ip: str = ""
    user_agent: str = ""
    tool: str = ""
    event_name: str = ""
    event_id: str = ""
    request_id: str = ""

    @classmethod
    def of(cls, record: Record) -> Self:
        invoked_by = record.identity.invoked_by
        return cls(
            principal=record.identity.name,
            source_ip=record.source_ip,
            user_agent=record.user_agent,
            tool=tool_of(
                f"{record.user_agent} {invoked_by}".strip(),
                from_console=record.identity.from_console,
            ),
            event_name=record.event_name,
            event_id=record.event_id,
            request_id=record.request_id,
        )

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        known = {one.name for one in fields(cls)}
        return cls(**{name: str(value) for name, value in body.items() if name in known})

    def to_json(self) -> dict[str, str]:
        return {name: value for name, value in asdict(self).items() if value}

    @property
    def words(self) -> str:
        """The caller for people: principal, address, tool."""
        where = f" from {self.source_ip}" if self.source_ip else ""
        return f"{self.principal}{where}" + (f" with {self.tool}" if self.tool else "")


def in_words(callers: Iterable[Caller]) -> str:
    """Several callers for people, each once; empty for none."""
    return "; ".join(dict.fromkeys(one.words for one in callers))
