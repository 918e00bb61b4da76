"""Events on what lets packets through to an endpoint, and on what serves its name elsewhere."""

# What admits packets, and the tags that the guard heeds. Most of these concern no endpoint at all:
# a record names the group, interface, network ACL, VPC or tagged resource, and `locate.py` finds
# the VPCs whose endpoints it matters to.
PATHS = frozenset(
    {
        "AssociateDhcpOptions",
        "AssociateSubnetCidrBlock",
        "AuthorizeSecurityGroupIngress",
        "CreateNetworkAclEntry",
        "CreateTags",
        "DeleteNetworkAclEntry",
        "DeleteTags",
        "DisassociateSubnetCidrBlock",
        "DisassociateVpcCidrBlock",
        "ModifyNetworkInterfaceAttribute",
        "ModifySecurityGroupRules",
        "ReplaceNetworkAclAssociation",
        "ReplaceNetworkAclEntry",
        "RevokeSecurityGroupIngress",
    }
)
# Private hosted zones and Route 53 Profiles. A call that names no VPC concerns every VPC in which
# no endpoint has the name itself.
NAMING_SERVICES = frozenset({"route53.amazonaws.com", "route53profiles.amazonaws.com"})
