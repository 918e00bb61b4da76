"""Who makes a call: access keys stand for callers, and callers for a CloudTrail `userIdentity`."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from emulator.partition import partition_of

Kind = Literal["user", "role", "root", "service", "console"]

LAMBDA_ADDRESS = "198.51.100.201"
"""Where functions outside a VPC call from: a public address (of the documentation range)."""

_BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/142.0 Safari/537.36"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """How somebody calls.

    `kind` gives the identity: an IAM user, an assumed role, the account's root, an AWS service in
    its own name, or a person in the console. `invoked_by` names the AWS service through which the
    call is made (forward access session), which then also is source address and user agent.
    `vpc_endpoint_id` and `vpc_endpoint_account_id` are set for one who comes through an endpoint.
    `account` is the emulated account unless given. `session` names a role's session, as the id of
    an instance or the name of a function does in AWS.
    """

    kind: Kind = "user"
    source_ip: str | None = None
    vpc_endpoint_id: str | None = None
    vpc_endpoint_account_id: str | None = None
    user_agent: str | None = None
    invoked_by: str | None = None
    account: str | None = None
    session: str | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller with a name and keys; for a deployed function, `function` is its logical id."""

    name: str
    caller: Caller
    account: str
    region: str
    access_key: str
    since: datetime
    role_arn: str | None = None
    function: str | None = None
    function_arn: str | None = None
    unrecorded: bool = False  # the emulator's own housekeeping

    @property
    def source_ip(self) -> str:
        caller = self.caller
        if caller.source_ip is not None:
            return caller.source_ip
        if caller.invoked_by is not None:
            return caller.invoked_by
        if self.function:
            return LAMBDA_ADDRESS
        return "10.0.0.10" if caller.vpc_endpoint_id else "198.51.100.23"

    def user_agent(self, sent: str) -> str:
        """What CloudTrail shows for the user agent that the request carried."""
        caller = self.caller
        if caller.user_agent is not None:
            return caller.user_agent
        if caller.invoked_by is not None:
            return caller.invoked_by
        return _BROWSER if caller.kind == "console" else sent

    @property
    def arn(self) -> str:
        """The principal's ARN, as error messages name it."""
        return self.user_identity().get("arn") or str(self.caller.invoked_by)

    def user_identity(self) -> dict[str, Any]:
        """The record's `userIdentity` (cloudtrail-event-reference-user-identity)."""
        match self.caller.kind:
            case "service":
                return {"type": "AWSService", "invokedBy": self.caller.invoked_by}
            case "root":
                identity: dict[str, Any] = {
                    "type": "Root",
                    "principalId": self.account,
                    "arn": f"arn:{self._partition}:iam::{self.account}:root",
                    "accountId": self.account,
                    "accessKeyId": self.access_key,
                }
            case "role":
                identity = self._assumed_role()
            case _:
                identity = self._user()
        if self.caller.kind == "console":
            identity["sessionContext"] = {"attributes": self._session(mfa=True)}
        if self.caller.invoked_by is not None:
            identity["invokedBy"] = self.caller.invoked_by
        return identity

    @property
    def _partition(self) -> str:
        return partition_of(self.region)

    def _user(self) -> dict[str, Any]:
        return {
            "type": "IAMUser",
            "principalId": _unique_id("AIDA", self.account, self.name),
            "arn": f"arn:{self._partition}:iam::{self.account}:user/{self.name}",
            "accountId": self.account,
            "accessKeyId": self.access_key,
            "userName": self.name,
        }

    def _assumed_role(self) -> dict[str, Any]:
        issuer = self.role_arn or f"arn:{self._partition}:iam::{self.account}:role/{self.name}"
        role = issuer.rsplit("/", 1)[-1]
        session = self.caller.session or (self.name if self.role_arn else f"{self.name}-session")
        principal = _unique_id("AROA", self.account, issuer)
        identity: dict[str, Any] = {
            "type": "AssumedRole",
            "principalId": f"{principal}:{session}",
            "arn": f"arn:{self._partition}:sts::{self.account}:assumed-role/{role}/{session}",
            "accountId": self.account,
            "accessKeyId": self.access_key,
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": principal,
                    "arn": issuer,
                    "accountId": self.account,
                    "userName": role,
                },
                "attributes": self._session(mfa=False),
            },
        }
        if self.function_arn:
            identity["inScopeOf"] = {
                "issuerType": "AWS::Lambda::Function",
                "credentialsIssuedTo": self.function_arn,
            }
        return identity

    def _session(self, *, mfa: bool) -> dict[str, str]:
        return {
            "creationDate": self.since.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "mfaAuthenticated": str(mfa).lower(),
        }


def _unique_id(prefix: str, *parts: str) -> str:
    digest = hashlib.sha256("/".join(parts).encode()).hexdigest()
    return prefix + digest[:17].upper()


@dataclass(slots=True)
class Callers:
    """The register of access keys of one cloud."""

    account: str
    region: str
    _by_key: dict[str, Identity] = field(default_factory=dict[str, Identity])

    def register(
        self,
        name: str,
        caller: Caller,
        now: datetime,
        *,
        access_key: str | None = None,
        **more: Any,
    ) -> Identity:
        """The identity of a named caller; the same name and caller get the same keys."""
        prefix = "AKIA" if caller.kind in ("user", "root") else "ASIA"
        key = access_key or _unique_id(prefix, name, repr(caller))[:20]
        if key not in self._by_key:
            account = caller.account or self.account
            self._by_key[key] = Identity(name, caller, account, self.region, key, now, **more)
        return self._by_key[key]

    def of(self, access_key: str, now: datetime) -> Identity:
        """Whose key it is; an unknown key is a user of the account named by it."""
        known = self._by_key.get(access_key)
        return known or Identity(
            f"key-{access_key}", Caller(), self.account, self.region, access_key, now
        )

    def registered(self, access_key: str) -> bool:
        """False for a key that nobody here gave out: this project's own command line has it."""
        return access_key in self._by_key

    def forget_users(self) -> None:
        """Keep only functions and the emulator's own."""
        self._by_key = {
            key: identity
            for key, identity in self._by_key.items()
            if identity.function or identity.unrecorded
        }

    def __iter__(self) -> Iterator[Identity]:
        return iter(self._by_key.values())
