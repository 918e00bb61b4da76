"""DescribeVpcEndpointServices."""

from .account import PRIVATE_NAME, REGION, SERVICE, refused


def only(answer):
    assert len(answer["ServiceDetails"]) == 1
    return answer["ServiceDetails"][0]


def test_the_service_as_aws_describes_it(account):
    service = only(account.ec2.describe_vpc_endpoint_services(ServiceNames=[SERVICE]))
    assert service["ServiceName"] == SERVICE
    assert service["ServiceType"] == [{"ServiceType": "Interface"}]
    assert service["VpcEndpointPolicySupported"] is True
    assert service["PrivateDnsName"] == PRIVATE_NAME
    assert service["PrivateDnsNames"] == [{"PrivateDnsName": PRIVATE_NAME}]
    assert service["SupportedIpAddressTypes"] == ["ipv4", "ipv6"]
    assert service["ServiceRegion"] == REGION


def test_the_zones_agree_with_what_creation_refuses(account):
    service = only(account.ec2.describe_vpc_endpoint_services(ServiceNames=[SERVICE]))
    assert service["AvailabilityZones"] == [f"{REGION}{zone}" for zone in "abcdf"]
    assert "use1-az3" not in service["AvailabilityZoneIds"]
    assert len(service["AvailabilityZoneIds"]) == 5


def test_the_zones_follow_the_option(account, playing):
    playing.unsupported_zone_ids = {"use1-az6", "use1-az1"}
    service = only(account.ec2.describe_vpc_endpoint_services(ServiceNames=[SERVICE]))
    assert service["AvailabilityZones"] == [f"{REGION}{zone}" for zone in "cdef"]


def test_other_services_reach_every_zone(account):
    name = f"com.amazonaws.{REGION}.kms"
    service = only(account.ec2.describe_vpc_endpoint_services(ServiceNames=[name]))
    assert len(service["AvailabilityZones"]) == 6


def test_by_filter(account):
    filters = [{"Name": "service-name", "Values": [SERVICE]}]
    assert (
        only(account.ec2.describe_vpc_endpoint_services(Filters=filters))["ServiceName"] == SERVICE
    )
    both = [*filters, {"Name": "service-type", "Values": ["Gateway"]}]
    assert account.ec2.describe_vpc_endpoint_services(Filters=both)["ServiceDetails"] == []


def test_by_owner_region_and_address_type(account):
    for name, value in {
        "owner": "amazon",
        "service-region": REGION,
        "supported-ip-address-types": "ipv6",
    }.items():
        found = account.ec2.describe_vpc_endpoint_services(
            Filters=[{"Name": name, "Values": [value]}]
        )
        assert SERVICE in found["ServiceNames"]
        none = account.ec2.describe_vpc_endpoint_services(
            Filters=[{"Name": name, "Values": ["none"]}]
        )
        assert none["ServiceNames"] == []


def test_a_filter_that_does_not_exist(account):
    with refused("InvalidParameterValue", "The filter 'name' is invalid"):
        account.ec2.describe_vpc_endpoint_services(Filters=[{"Name": "name", "Values": ["a"]}])


def test_an_unknown_service(account):
    with refused("InvalidServiceName", "The Vpc Endpoint Service 'com.example' does not exist"):
        account.ec2.describe_vpc_endpoint_services(ServiceNames=["com.example"])
