"""A cloud's life: start, reset, nesting, stop."""

import os
import threading
import time
from datetime import timedelta

import pytest

from emulator import Cloud
from tests.emulator.conftest import TEMPLATE, Script


def start():
    return Cloud.start(runtime=Script(), template=TEMPLATE)


def vpcs(cloud):
    return cloud.session("alice").client("ec2").describe_vpcs()["Vpcs"]


def test_the_account_is_empty(small):
    ec2 = small.session("alice").client("ec2")
    assert vpcs(small) == []
    assert ec2.describe_subnets()["Subnets"] == []
    assert ec2.describe_security_groups()["SecurityGroups"] == []


def test_the_deployment_says_so_itself():
    with start() as cloud:
        (happening,) = cloud.settle()
        assert happening.what == "event CloudFormation Stack Status Change → no rule"


def test_a_reset_brings_back_the_state_after_deployment(small):
    session = small.session("alice")
    session.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")
    session.client("secretsmanager").create_secret(Name="a", SecretString="b")
    session.client("ssm").put_parameter(Name="/mine", Value="x", Type="String")
    session.client("sqs").create_queue(QueueName="mine")
    session.client("ram").create_resource_share(name="mine", principals=["210987654321"])
    session.client("events").put_rule(Name="mine", EventPattern='{"source": ["x"]}')
    session.client("sqs").send_message(QueueUrl=small.resource("NoteQueue"), MessageBody="x")
    small.fault("ec2", "CreateVpc", "x")
    began = time.perf_counter()
    small.reset()
    assert time.perf_counter() - began < 0.3
    assert small.records == small.calls == small.findings == small.invocations == []
    assert vpcs(small) == []
    assert session.client("secretsmanager").list_secrets()["SecretList"] == []
    assert session.client("ssm").describe_parameters()["Parameters"] == []
    assert len(session.client("sqs").list_queues()["QueueUrls"]) == 4
    mine = session.client("ram").get_resource_shares(resourceOwner="SELF")["resourceShares"]
    assert mine == []
    assert "mine" not in [one["Name"] for one in session.client("events").list_rules()["Rules"]]
    assert small.queue_depth("NoteQueue") == 0
    session.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")


def test_a_cloud_within_a_cloud_leaves_it_alone(small):
    made = small.session("alice").client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    url = os.environ["AWS_ENDPOINT_URL"]
    with start() as inner:
        assert vpcs(inner) == []
        assert os.environ["AWS_ENDPOINT_URL"] != url
        for use in (small.stop, small.reset, small.settle, lambda: small.session("alice")):
            with pytest.raises(RuntimeError, match="another"):
                use()
    assert [one["VpcId"] for one in vpcs(small)] == [made]
    assert os.environ["AWS_ENDPOINT_URL"] == url
    small.settle()


def test_a_stopped_cloud_leaves_nothing_behind():
    before, threads = dict(os.environ), threading.active_count()
    cloud = start()
    cloud.clock.skip(3600)
    moved = time.time()
    cloud.stop()
    cloud.stop()
    assert dict(os.environ) == before
    assert threading.active_count() <= threads + 1
    assert time.time() < moved - 3000


def test_time_does_not_go_back(small):
    with pytest.raises(ValueError, match="back"):
        small.clock.skip(-1)


def test_an_unknown_runtime_is_refused():
    with pytest.raises(ValueError, match="docker"):
        Cloud.start(runtime="docker", template=TEMPLATE)


def test_a_schedule_that_is_skipped_fires_by_hand_only_until_the_reset(small, script):
    small.skip_schedule("ScheduleRule")
    small.settle(timedelta(hours=12))
    assert script.of("AsyncFunction") == []
    small.fire_schedule("ScheduleRule")
    small.settle()
    assert len(script.of("AsyncFunction")) == 1
    small.reset()
    small.settle(timedelta(hours=7))
    assert len(script.of("AsyncFunction")) == 2
    with pytest.raises(KeyError):
        small.skip_schedule("NoRule")
