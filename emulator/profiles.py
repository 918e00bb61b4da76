"""Amazon Route 53 Profiles, which moto does not have: what brings DNS to the VPCs it is given to.

By the service's model in botocore and its API reference. A VPC may have several Profiles, each with
a priority of its own. Profiles are kept with moto's Route 53 of the account, which is reset with
the rest. A Profile is shared with other accounts by RAM; here everybody who knows its id may
associate it.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from moto.ec2.models import ec2_backends
from moto.route53.models import route53_backends

from emulator.partition import partition_of
from emulator.wire import ApiRequest, ApiResponse

SERVICE = "route53profiles"
_KINDS = {"hostedzone": "PRIVATE_HOSTED_ZONE", "vpc-endpoint": "VPC_ENDPOINT"}  # names assumed


class _Refused(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def serve(request: ApiRequest, account: str) -> ApiResponse:
    """Answer one call. Raises KeyError for an operation that is not known here."""
    try:
        answer = _OPERATIONS[request.action](_State(account, request.region), **request.params)
    except _Refused as error:
        body = json.dumps({"__type": error.code, "message": str(error)}).encode()
        headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", error.code)]
        return ApiResponse(400, headers, body)
    return ApiResponse(200, [("Content-Type", "application/json")], json.dumps(answer).encode())


class _State:
    """The Profiles of all accounts, as one of them sees them."""

    def __init__(self, account: str, region: str) -> None:
        self.account, self.region = account, region
        backend: Any = route53_backends[account][partition_of(region)]
        if not hasattr(backend, "route53_profiles"):
            backend.route53_profiles = {}
        self.own: dict[str, dict[str, Any]] = backend.route53_profiles

    def every(self) -> Iterator[dict[str, Any]]:
        for backends in list(route53_backends.values()):
            yield from getattr(backends[partition_of(self.region)], "route53_profiles", {}).values()

    def get(self, profile_id: str) -> dict[str, Any]:
        for one in self.every():
            if one["Id"] == profile_id:
                return one
        raise _Refused("ResourceNotFoundException", f"Profile '{profile_id}' does not exist.")


def _new(kind: str) -> str:
    return f"{kind}-{uuid.uuid4().hex[:16]}"


def _create(state: _State, **asked: Any) -> dict[str, Any]:
    made = {
        "Id": _new("rp"),
        "Name": asked["Name"],
        "OwnerId": state.account,
        "vpcs": [],
        "brings": [],
    }
    state.own[made["Id"]] = made
    return {"Profile": {name: made[name] for name in ("Id", "Name", "OwnerId")}}


def _associate(state: _State, **asked: Any) -> dict[str, Any]:
    profile, vpc_id = state.get(asked["ProfileId"]), asked["ResourceId"]
    if vpc_id not in ec2_backends[state.account][state.region].vpcs:
        raise _Refused("ResourceNotFoundException", f"VPC '{vpc_id}' does not exist.")
    taken = [v["Priority"] for p in state.every() for v in p["vpcs"] if v["ResourceId"] == vpc_id]
    priority = asked.get("Priority", 100)
    if priority in taken:
        raise _Refused("ConflictException", f"'{vpc_id}' has a Profile of priority {priority}.")
    made = {
        "Id": _new("rpassoc"),
        "Name": asked["Name"],
        "OwnerId": state.account,
        "ProfileId": profile["Id"],
        "ResourceId": vpc_id,
        "Priority": priority,
        "Status": "COMPLETE",
    }
    profile["vpcs"].append(made)
    return {"ProfileAssociation": made}


def _disassociate(state: _State, **asked: Any) -> dict[str, Any]:
    profile = state.get(asked["ProfileId"])
    gone = [one for one in profile["vpcs"] if one["ResourceId"] == asked["ResourceId"]]
    if not gone:
        raise _Refused("ResourceNotFoundException", "The association does not exist.")
    profile["vpcs"].remove(gone[0])
    return {"ProfileAssociation": {**gone[0], "Status": "DELETED"}}


def _bring(state: _State, **asked: Any) -> dict[str, Any]:
    profile, arn = state.get(asked["ProfileId"]), asked["ResourceArn"]
    kind, _, id_ = arn.split(":", 5)[5].partition("/")
    zones = route53_backends[state.account][partition_of(state.region)].zones
    zone = zones.get(id_) if kind == "hostedzone" else None
    here = ec2_backends[state.account][state.region].vpc_end_points
    if not (zone and zone.private_zone) and not (kind == "vpc-endpoint" and id_ in here):
        raise _Refused("ResourceNotFoundException", f"'{arn}' does not exist.")
    made = {
        "Id": _new("rpr"),
        "Name": asked["Name"],
        "OwnerId": state.account,
        "ProfileId": profile["Id"],
        "ResourceArn": arn,
        "ResourceType": _KINDS[kind],
        "Status": "COMPLETE",
    }
    profile["brings"].append(made)
    return {"ProfileResourceAssociation": made}


def _take_away(state: _State, **asked: Any) -> dict[str, Any]:
    profile = state.get(asked["ProfileId"])
    gone = [one for one in profile["brings"] if one["ResourceArn"] == asked["ResourceArn"]]
    if not gone:
        raise _Refused("ResourceNotFoundException", "The association does not exist.")
    profile["brings"].remove(gone[0])
    return {"ProfileResourceAssociation": {**gone[0], "Status": "DELETED"}}


def _list_associations(state: _State, **asked: Any) -> dict[str, Any]:
    found = [
        one
        for profile in state.every()
        for one in profile["vpcs"]
        if one["OwnerId"] == state.account
        and asked.get("ResourceId") in (None, one["ResourceId"])
        and asked.get("ProfileId") in (None, one["ProfileId"])
    ]
    return {"ProfileAssociations": found}


def _list_resources(state: _State, **asked: Any) -> dict[str, Any]:
    return {"ProfileResourceAssociations": state.get(asked["ProfileId"])["brings"]}


_OPERATIONS: dict[str, Callable[..., dict[str, Any]]] = {
    "CreateProfile": _create,
    "AssociateProfile": _associate,
    "DisassociateProfile": _disassociate,
    "AssociateResourceToProfile": _bring,
    "DisassociateResourceFromProfile": _take_away,
    "ListProfileAssociations": _list_associations,
    "ListProfileResourceAssociations": _list_resources,
}
