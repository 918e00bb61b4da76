"""What a policy must decide, said without a policy: the other half of the exhaustive proof. Pure.

A request is taken apart into facets, one for each condition key, each a small answer: is the VPC
one of ours in which Region, is the principal named. `expected` decides by the facets alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from guard.policy.evaluate import Outcome
from guardctl.twin.scope import Kind, Scope, has_no_secret

ACTION = "action"
REGION = "aws:requestedregion"
VPC = "aws:sourcevpc"
ADDRESS = "aws:sourceip"
PRINCIPAL = "aws:principalarn"
SERVICE = "aws:principalisawsservice"
VIA_SERVICE = "aws:viaawsservice"
CALLERS_ACCOUNT = "aws:principalaccount"
OWNERS_ACCOUNT = "aws:resourceaccount"
TAG = "aws:principaltag/"

type Facet = object
type Value = str | None


@dataclass(frozen=True, slots=True)
class Meaning:
    """What is to be decided for a scope; `region` is where the policy is, if it is in one alone."""

    scope: Scope
    region: str = ""

    @property
    def keys(self) -> Mapping[str, frozenset[str]]:
        """The condition keys that matter, and the values that the scope gives for each."""
        scope = self.scope
        if scope.kind is Kind.ENDPOINT:
            accounts = dict.fromkeys((CALLERS_ACCOUNT, OWNERS_ACCOUNT), scope.known_accounts)
            return {**accounts, SERVICE: frozenset()}
        tags: dict[str, frozenset[str]] = {}
        for one in scope.tags:
            key, value, _ = _tag(one)
            tags[f"{TAG}{key}"] = tags.get(f"{TAG}{key}", frozenset()) | {value}
        linked = f"arn:{scope.partition}:iam::*:role/aws-service-role/*"
        only = {f"aws:resourcetag/{scope.only_tagged.lower()}": frozenset[str]()}
        return {
            REGION: frozenset(scope.vpcs),
            VPC: frozenset[str]().union(*scope.vpcs.values()),
            ADDRESS: scope.networks,
            PRINCIPAL: scope.principals | {linked},
            SERVICE: frozenset(),
            VIA_SERVICE: frozenset(),
            **tags,
            **(only if scope.only_tagged else {}),
        }

    def facet(self, key: str, value: Value) -> Facet:
        """What a value comes to; values of one facet are to be decided alike."""
        scope = self.scope
        match key:
            case "action":
                return self._action(value or "")
            case "aws:requestedregion":
                return self.region or (value if value in scope.vpcs else None)
            case "aws:sourcevpc":
                return frozenset(region for region, ids in scope.vpcs.items() if value in ids)
            case "aws:sourceip":
                return value is not None and scope.has_address(value)
            case "aws:principalarn":
                return value is not None and scope.names(value)
            case "aws:principalisawsservice" | "aws:viaawsservice":
                return value == "true"
            case "aws:principalaccount" | "aws:resourceaccount":
                return value in scope.known_accounts
            case _:
                return self._tagged(key, value)

    def is_plain(self, key: str, value: Value) -> bool:
        """Whether a request that must be stopped can have it, as nothing lets that pass."""
        facet = self.facet(key, value)
        return bool(facet) == (key in (ACTION, REGION) or key.startswith("aws:resourcetag/"))

    def _action(self, action: str) -> Facet:
        """Whether it is one that the policy is about; at an endpoint, which sort."""
        service, _, name = action.lower().partition(":")
        if service != "secretsmanager" or not self.scope.reads(name):
            return ""
        return "no secret" if has_no_secret(name) else "secret"

    def _tagged(self, key: str, value: Value) -> Facet:
        if self.scope.only_tagged and key == f"aws:resourcetag/{self.scope.only_tagged.lower()}":
            return value is not None
        mine = [one for one in map(_tag, self.scope.tags) if key == f"{TAG}{one[0]}"]
        having = {other for _, other, without in mine if not without}
        lacking = {other for _, other, without in mine if without}
        return value in having or (bool(lacking) and value not in lacking)

    def expected(self, facets: Mapping[str, Facet]) -> Outcome:
        """What the policy must decide about a request of these facets."""
        passes = self._passes_endpoint if self.scope.kind is Kind.ENDPOINT else self._passes
        return Outcome.ALLOW if passes(facets) else Outcome.DENY

    def _passes(self, facets: Mapping[str, Facet]) -> bool:
        region, tag = facets[REGION], self.scope.only_tagged.lower()
        untagged = bool(tag) and not facets[f"aws:resourcetag/{tag}"]
        if untagged or not (facets[ACTION] and region):
            return True
        named = (ADDRESS, PRINCIPAL, SERVICE, VIA_SERVICE, *(one for one in facets if TAG in one))
        within: Any = facets[VPC]
        return region in within or any(facets[one] for one in named)

    def _passes_endpoint(self, facets: Mapping[str, Facet]) -> bool:
        no_secret = facets[ACTION] == "no secret"
        by_own = facets[CALLERS_ACCOUNT] and (facets[OWNERS_ACCOUNT] or no_secret)
        by_service = facets[SERVICE] and facets[OWNERS_ACCOUNT]
        return bool(facets[ACTION] and (by_own or by_service))


def _tag(text: str) -> tuple[str, str, bool]:
    """A tag's key as conditions have it, its value, and whether it is of those without it."""
    without = "!=" in text
    key, value = text.split("!=" if without else "=", 1)
    return key.lower(), value, without
