"""How a secret is spelled: by name, by an ARN without AWS's suffix, or by a full one. Pure."""

import re
from dataclasses import dataclass

from guard.cloudtrail.record import Record
from guard.partitions import partition_in

OPEN_SUFFIX = "-??????"
"""What stands in an ARN for a suffix that is not known."""

# AWS adds a hyphen and six random letters and digits to the name in an ARN. Six small letters are
# taken for a word of the name, and six digits for a date (one true suffix in 190 looks so): an
# exception then covers less.
_SUFFIX = re.compile(r"-(?![a-z]{6}|[0-9]{6})[A-Za-z0-9]{6}", re.ASCII)


def name_of_secret(secret: str) -> str:
    """The name in a secret's ARN, with AWS's random suffix if the ARN has it; a name as it is."""
    return (
        secret.split(":", 6)[6] if secret.startswith("arn:") and secret.count(":") >= 6 else secret
    )


def arn_of(secret: str, record: Record) -> str:
    """The ARN of a secret as a caller of `record` named it; -?????? for a suffix not known."""
    parts = parts_of(secret)
    return f"{parts.head or own_head(record)}{parts.tail}"


@dataclass(frozen=True, slots=True)
class Parts:
    """What identifies a secret: `head` is its ARN up to the name, and both may be unknown ("")."""

    head: str
    name: str
    suffix: str

    @property
    def tail(self) -> str:
        return f"{self.name}{self.suffix or OPEN_SUFFIX}"


def parts_of(secret: str) -> Parts:
    """Read a name, a partial ARN (which has no suffix), or a full one."""
    if not (secret.startswith("arn:") and secret.count(":") >= 6):
        return Parts("", secret, "")
    name = secret.split(":", 6)[6]
    head = secret.removesuffix(name)
    if name.endswith(OPEN_SUFFIX):
        return Parts(head, name.removesuffix(OPEN_SUFFIX), "")
    if _SUFFIX.fullmatch(name[-7:]):
        return Parts(head, name[:-7], name[-7:])
    return Parts(head, name, "")


def which_secret(secret: str, record: Record) -> str:
    """A text that two secrets never share, whatever they are called.

    A name may be what another secret's ARN ends in, or the name of another account's secret.
    """
    parts = parts_of(secret)
    return f"{parts.head or own_head(record)}{parts.name} {parts.suffix}"


def own_head(record: Record) -> str:
    partition = partition_in(record.identity.arn, record.region)
    return f"arn:{partition}:secretsmanager:{record.region}:{record.account}:secret:"
