"""The life of an endpoint in virtual time, and what it holds on the way."""

from .account import PRIVATE_NAME, refused


def state(account, endpoint_id):
    return account.endpoint(endpoint_id)["State"]


def test_pending_then_available(account):
    created = account.create(account.vpc())
    assert created["State"] == "pending"
    account.wait(89)
    assert state(account, created["VpcEndpointId"]) == "pending"
    account.wait(1)
    assert state(account, created["VpcEndpointId"]) == "available"


def test_how_long_it_is_pending_is_an_option(account, playing):
    playing.pending_seconds = 5
    endpoint_id = account.create(account.vpc())["VpcEndpointId"]
    account.wait(5)
    assert state(account, endpoint_id) == "available"


def test_pending_again_after_a_change(account):
    endpoint_id = account.create(account.vpc())["VpcEndpointId"]
    account.wait(90)
    account.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint_id, PrivateDnsEnabled=False)
    assert state(account, endpoint_id) == "pending"
    account.wait(90)
    assert state(account, endpoint_id) == "available"


def test_deleting_then_deleted_then_gone(account):
    endpoint_id = account.create(account.vpc())["VpcEndpointId"]
    assert account.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint_id])["Unsuccessful"] == []
    assert state(account, endpoint_id) == "deleting"
    account.wait(60)
    assert state(account, endpoint_id) == "deleted"
    account.wait(60)
    assert account.endpoints() == []
    with refused("InvalidVpcEndpointId.NotFound"):
        account.endpoint(endpoint_id)


def test_deleting_twice_does_not_prolong_it(account):
    endpoint_id = account.create(account.vpc())["VpcEndpointId"]
    account.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint_id])
    account.wait(59)
    assert account.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint_id])["Unsuccessful"] == []
    account.wait(1)
    assert state(account, endpoint_id) == "deleted"


def test_a_deleting_endpoint_cannot_be_modified(account):
    endpoint_id = account.create(account.vpc())["VpcEndpointId"]
    account.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint_id])
    with refused("IncorrectState", endpoint_id):
        account.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint_id, PrivateDnsEnabled=False)


def test_a_deleting_endpoint_holds_its_interfaces_and_its_name(account):
    vpc_id = account.vpc()
    subnet_id = account.subnet(vpc_id)
    free = account.ec2.describe_subnets(SubnetIds=[subnet_id])["Subnets"][0]
    endpoint_id = account.create(vpc_id, subnet_id)["VpcEndpointId"]
    account.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint_id])
    assert len(account.interfaces(endpoint_id)) == 1
    with refused("InvalidParameter", f"conflicting DNS domain for {PRIVATE_NAME}"):
        account.create(vpc_id, subnet_id)
    with refused("DependencyViolation"):
        account.ec2.delete_subnet(SubnetId=subnet_id)

    account.wait(60)
    assert account.ec2.describe_network_interfaces()["NetworkInterfaces"] == []
    assert account.ec2.describe_subnets(SubnetIds=[subnet_id])["Subnets"][0] == free
    account.ec2.delete_subnet(SubnetId=subnet_id)


def test_its_name_is_free_once_it_is_deleted(account):
    vpc_id = account.vpc()
    subnet_id = account.subnet(vpc_id)
    first = account.create(vpc_id, subnet_id)["VpcEndpointId"]
    account.ec2.delete_vpc_endpoints(VpcEndpointIds=[first])
    account.wait(60)
    second = account.create(vpc_id, subnet_id)["VpcEndpointId"]
    assert {first, second} == set(account.endpoints())


def test_an_endpoint_that_is_deleted_does_not_count_towards_the_quota(account, playing):
    playing.endpoints_per_vpc = 1
    vpc_id = account.vpc()
    first = account.create(vpc_id, PrivateDnsEnabled=False)["VpcEndpointId"]
    account.ec2.delete_vpc_endpoints(VpcEndpointIds=[first])
    assert account.create(vpc_id, PrivateDnsEnabled=False)
