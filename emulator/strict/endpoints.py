"""CreateVpcEndpoint, ModifyVpcEndpoint, DescribeVpcEndpoints and DeleteVpcEndpoints.

moto carries out whatever is asked, ignores ClientToken, IpAddressType, DnsOptions and (on modify)
PrivateDnsEnabled, keeps policies to the letter, attaches no security group when none is named,
leaves the type empty when none is given, and lists deleted endpoints for ever. AWS refuses what
`endpoint_rules` says, before it changes anything, and honours the rest. CloudFormation comes
through here as well.
"""

import json
from collections.abc import Iterable
from typing import Any

from moto.ec2.exceptions import (
    EC2ClientError,
    InvalidParameter,
    InvalidParameterCombination,
    InvalidParameterValue,
    MissingParameterError,
)
from moto.ec2.models.vpcs import VPCBackend, VPCEndPoint
from moto.ec2.utils import random_vpc_ep_id

from . import endpoint_rules, endpoint_services, policies
from .endpoint_states import InterfaceEndpoint, advance, interface_endpoints
from .options import options
from .patching import Patches

patches = Patches()

#: Parameters that moto's methods do not have.
_NOT_IN_CREATE = ("ip_address_type", "dns_options")
_NOT_IN_MODIFY = (*_NOT_IN_CREATE, "private_dns_enabled", "reset_policy")


@patches.method(VPCBackend)
def create_vpc_endpoint(moto: Any, backend: Any, **asked: Any) -> VPCEndPoint:
    advance(backend)
    if not asked.get("service_name"):
        raise MissingParameterError("ServiceName")
    token = asked.pop("client_token", None)
    if earlier := _made_with(backend, token, asked):
        return earlier
    endpoint: Any = _create(moto, backend, asked)
    endpoint.client_token = token
    # Kept on the endpoint: AWS does not document how long it remembers a token.
    endpoint.asked = _fingerprint(asked)
    return endpoint


@patches.method(VPCBackend)
def modify_vpc_endpoint(moto: Any, backend: Any, vpc_id: str, **change: Any) -> None:
    advance(backend)
    endpoint = endpoint_rules.get(backend, vpc_id)
    if change.get("policy_doc"):
        if change.get("reset_policy"):
            raise InvalidParameterCombination(  # inferred
                "ResetPolicy and PolicyDocument cannot be used together"
            )
        change["policy_doc"] = endpoint_rules.accepted_policy(change["policy_doc"])
    if isinstance(endpoint, InterfaceEndpoint):
        _modify_interface(moto, backend, endpoint, change)
    else:
        if change.get("reset_policy"):
            change["policy_doc"] = policies.rewritten(policies.DEFAULT_DOCUMENT)
        moto(backend, vpc_id=vpc_id, **_without(change, *_NOT_IN_MODIFY))


@patches.method(VPCBackend)
def describe_vpc_endpoints(
    moto: Any, backend: Any, vpc_end_point_ids: list[str] | None, filters: Any = None
) -> list[VPCEndPoint]:
    advance(backend)
    for endpoint_id in vpc_end_point_ids or []:
        endpoint_rules.get(backend, endpoint_id)
    return moto(backend, list(dict.fromkeys(vpc_end_point_ids or [])), filters)


@patches.method(VPCBackend)
def delete_vpc_endpoints(moto: Any, backend: Any, vpce_ids: list[str] | None = None) -> None:
    advance(backend)
    for endpoint_id in vpce_ids or []:
        endpoint = backend.vpc_end_points.get(endpoint_id)
        if isinstance(endpoint, InterfaceEndpoint):
            endpoint.start_deleting()
        elif endpoint:
            moto(backend, [endpoint_id])
            del backend.vpc_end_points[endpoint_id]


def _create(moto: Any, backend: Any, asked: dict[str, Any]) -> VPCEndPoint:
    kind = asked.get("endpoint_type") or "Gateway"
    service = _service_for(backend, asked["service_name"], kind, asked.get("subnet_ids") or [])
    vpc = backend.get_vpc(asked["vpc_id"])
    policy = _policy_of(asked.get("policy_document"))
    if kind == "Interface":
        return _create_interface(backend, vpc, service, policy, asked)
    passed = _without(asked, *_NOT_IN_CREATE)
    return moto(backend, **passed | {"endpoint_type": kind, "policy_document": policy})


def _policy_of(asked: str | dict[str, Any] | None) -> str:
    if not asked:
        return policies.rewritten(policies.DEFAULT_DOCUMENT)
    # CloudFormation hands over the document itself.
    return endpoint_rules.accepted_policy(asked if isinstance(asked, str) else json.dumps(asked))


def _service_for(
    backend: Any, service_name: str, kind: str, subnet_ids: list[str]
) -> dict[str, Any]:
    service = endpoint_services.find(backend, service_name, kind)
    if kind == "Gateway" and subnet_ids:
        raise InvalidParameter(
            "Subnet IDs are only supported for Interface and GatewayLoadBalancer type VPC"
            " Endpoints."
        )
    offered = endpoint_services.types_of([service])
    if kind not in offered:
        raise InvalidParameter(
            f"Endpoint type ({kind}) does not match available service types"
            f" ([{', '.join(offered)}])."
        )
    return service


def _create_interface(
    backend: Any, vpc: Any, service: dict[str, Any], policy: str, asked: dict[str, Any]
) -> InterfaceEndpoint:
    subnet_ids = asked.get("subnet_ids") or []
    ip_address_type = asked.get("ip_address_type") or "ipv4"
    endpoint_rules.check_subnets(backend, vpc.id, service, subnet_ids, [], ip_address_type)
    group_ids = asked.get("security_group_ids") or [backend.get_default_security_group(vpc.id).id]
    endpoint_rules.check_groups(backend, vpc.id, group_ids, subnet_ids)
    if asked.get("private_dns_enabled"):
        endpoint_rules.check_private_dns(backend, vpc, service)
    present = [e for e in interface_endpoints(backend) if e.vpc_id == vpc.id and e.lives]
    if len(present) >= options.endpoints_per_vpc:
        raise EC2ClientError(
            "VpcEndpointLimitExceeded", "The maximum number of VPC endpoints has been reached."
        )
    endpoint: Any = InterfaceEndpoint(
        service=service,
        ip_address_type=ip_address_type,
        dns_options=_dns_options(ip_address_type, asked.get("dns_options")),
        ec2_backend=backend,
        endpoint_id=random_vpc_ep_id(),
        vpc_id=vpc.id,
        service_name=service["ServiceName"],
        endpoint_type="Interface",
        policy_document=policy,
        route_table_ids=[],
        subnet_ids=list(subnet_ids),
        security_group_ids=list(group_ids),
        tags=asked.get("tags"),
        private_dns_enabled=bool(asked.get("private_dns_enabled")),
    )
    backend.vpc_end_points[endpoint.id] = endpoint
    return endpoint


def _made_with(backend: Any, token: str | None, asked: dict[str, Any]) -> VPCEndPoint | None:
    """The endpoint an earlier request with this token made; refuses another request with it."""
    if token is None:
        return None
    if len(token) > 64 or not token.isascii():
        raise InvalidParameterValue("ClientToken must be at most 64 ASCII characters")  # inferred
    for endpoint in backend.vpc_end_points.values():
        if endpoint.client_token == token:
            if endpoint.asked != _fingerprint(asked):
                raise EC2ClientError(
                    "IdempotentParameterMismatch",
                    "Arguments on this idempotent request are inconsistent with arguments used in"
                    " previous request(s).",
                )
            return endpoint
    return None


def _fingerprint(asked: dict[str, Any]) -> str:
    return json.dumps(asked, sort_keys=True)


def _without(parameters: dict[str, Any], *names: str) -> dict[str, Any]:
    """The parameters moto's own method takes."""
    return {name: value for name, value in parameters.items() if name not in names}


def _modify_interface(
    moto: Any, backend: Any, endpoint: InterfaceEndpoint, change: dict[str, Any]
) -> None:
    """Checks the whole change before it makes any of it."""
    if endpoint.requester_managed:
        raise EC2ClientError(  # the words are those of DeleteVpcEndpoints for the same
            "OperationNotPermitted",
            f"Operation is not allowed for requester-managed VPC endpoints: {endpoint.id}",
        )
    if not endpoint.lives:
        raise EC2ClientError(  # inferred
            "IncorrectState", f"The Vpc Endpoint '{endpoint.id}' is being deleted"
        )
    if change.get("reset_policy"):
        # The reference says "(Gateway endpoint)"; what AWS answers for another was not found.
        raise InvalidParameter("ResetPolicy is only supported for Gateway type VPC Endpoints.")
    if change.get("add_route_tables") or change.get("remove_route_tables"):
        raise InvalidParameter("Route table IDs are only supported for Gateway type VPC Endpoint.")
    ip_address_type = change.get("ip_address_type") or endpoint.ip_address_type
    added = change.get("add_subnets") or []
    endpoint_rules.check_subnets(
        backend, endpoint.vpc_id, endpoint.service, added, endpoint.subnet_ids, ip_address_type
    )
    _check_members("subnet", change.get("remove_subnets"), endpoint.subnet_ids)
    groups = change.get("add_security_groups") or []
    endpoint_rules.check_groups(backend, endpoint.vpc_id, groups, endpoint.subnet_ids)
    leaving = change.get("remove_security_groups") or []
    _check_members("security group", leaving, endpoint.security_group_ids)
    if not set(endpoint.security_group_ids) - set(leaving) | set(groups):
        raise InvalidParameter(  # inferred
            "A VPC endpoint of type Interface must have at least one security group."
        )
    if change.get("private_dns_enabled") and not endpoint.private_dns_enabled:
        endpoint_rules.check_private_dns(
            backend, backend.get_vpc(endpoint.vpc_id), endpoint.service
        )

    moto(backend, vpc_id=endpoint.id, **_without(change, *_NOT_IN_MODIFY))
    if change.get("private_dns_enabled") is not None:
        endpoint.private_dns_enabled = change["private_dns_enabled"]
    endpoint.ip_address_type = ip_address_type
    endpoint.dns_options = endpoint.dns_options | (change.get("dns_options") or {})
    endpoint.refresh()


def _check_members(kind: str, leaving: Iterable[str] | None, present: list[str]) -> None:
    for name in leaving or []:
        if name not in present:
            raise InvalidParameter(f"The {kind} '{name}' is not part of the endpoint")  # inferred


def _dns_options(ip_address_type: str, asked: dict[str, Any] | None) -> dict[str, Any]:
    return {"DnsRecordIpType": ip_address_type} | (asked or {})
