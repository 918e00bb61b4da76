"""An endpoint that comes from a template is held to the same rules."""

import json

from .account import FULL_ACCESS, SERVICE


def test_an_endpoint_of_a_template(account):
    vpc_id = account.vpc()
    subnet_id = account.subnet(vpc_id)
    properties = {
        "VpcId": vpc_id,
        "ServiceName": SERVICE,
        "VpcEndpointType": "Interface",
        "SubnetIds": [subnet_id],
        "PrivateDnsEnabled": True,
        "PolicyDocument": FULL_ACCESS,
    }
    template = {"Resources": {"Own": {"Type": "AWS::EC2::VPCEndpoint", "Properties": properties}}}
    account.client("cloudformation").create_stack(
        StackName="own", TemplateBody=json.dumps(template)
    )
    (endpoint_id,) = account.endpoints()
    assert account.policy(endpoint_id) == FULL_ACCESS
    assert account.endpoint(endpoint_id)["State"] == "pending"
    assert [interface["SubnetId"] for interface in account.interfaces(endpoint_id)] == [subnet_id]
    groups = account.endpoint(endpoint_id)["Groups"]
    assert [group["GroupId"] for group in groups] == [account.default_group(vpc_id)]
