"""The network ACL and the DHCP options that AWS gives a VPC.

moto's default ACL says nothing of IPv6. AWS's allows it from the moment at which the VPC has such a
block, unless somebody has changed the ACL by then ("Default network ACL", VPC User Guide). moto's
new VPC has no DHCP options; AWS's has the Region's default set, which names its own resolver, and
"default" is how AssociateDhcpOptions spells none. moto answers HTTP 500 to the filter
`network-acl-id`.
"""

from typing import Any

from moto.ec2.models.dhcp_options import DHCPOptionsSet
from moto.ec2.models.network_acls import NetworkAcl
from moto.ec2.models.vpcs import VPCBackend

from .patching import Patches

patches = Patches()

_IPV6_RULES = ((101, "allow"), (32768, "deny"))


@patches.method(VPCBackend)
def create_vpc(moto: Any, backend: Any, *args: Any, **settings: Any) -> Any:
    vpc = moto(backend, *args, **settings)
    vpc.dhcp_options = _default_options(backend)
    if vpc.get_cidr_block_association_set(ipv6=True):
        _allow_ipv6(backend, vpc.id)
    return vpc


@patches.method(VPCBackend)
def associate_vpc_cidr_block(
    moto: Any, backend: Any, vpc_id: str, cidr_block: str, amazon_provided_ipv6_cidr_block: bool
) -> Any:
    made = moto(backend, vpc_id, cidr_block, amazon_provided_ipv6_cidr_block)
    if amazon_provided_ipv6_cidr_block:
        _allow_ipv6(backend, vpc_id)
    return made


def _default_options(backend: Any) -> DHCPOptionsSet:
    made = getattr(backend, "default_dhcp_options", None)
    if made is None or made.id not in backend.dhcp_options_sets:
        domain = f"{backend.region_name}.compute.internal"
        made = backend.create_dhcp_options(["AmazonProvidedDNS"], [domain])
        backend.default_dhcp_options = made
    return made


def _allow_ipv6(backend: Any, vpc_id: str) -> None:
    (acl,) = (one for one in backend.network_acls.values() if one.default and one.vpc_id == vpc_id)
    for egress in (False, True):
        rules = [one for one in acl.network_acl_entries if one.egress is egress]
        if [(one.rule_number, one.rule_action) for one in rules] != [
            (100, "allow"),
            (32767, "deny"),
        ]:
            continue
        for number, action in _IPV6_RULES:
            backend.create_network_acl_entry(
                network_acl_id=acl.id,
                rule_number=number,
                protocol="-1",
                rule_action=action,
                egress=egress,
                cidr_block=None,
                icmp_code=None,
                icmp_type=None,
                port_range_from=None,
                port_range_to=None,
                ipv6_cidr_block="::/0",
            )


@patches.method(NetworkAcl)
def get_filter_value(
    moto: Any, acl: NetworkAcl, filter_name: str, method_name: str | None = None
) -> Any:
    return acl.id if filter_name == "network-acl-id" else moto(acl, filter_name, method_name)
