"""Settings other than the defaults, in a deployment of their own: hubs, AZs, a narrow policy."""

import json

import pytest

from emulator import Cloud
from tests.reactions.account import Account, kinds
from tests.reactions.policies import copy_of_code


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory):
    parameters = {
        "Mode": "remediate",
        "ApprovedPolicy": "one-secret",
        "MaximumZones": "1",
        "SecretPerimeter": "watch-all",
    }
    approved = {"vpcs": [{"id": "vpc-0123456789abcdef0", "reason": "build servers"}]}
    root = tmp_path_factory.mktemp("root")
    (copy_of_code(root) / "approved.json").write_text(json.dumps(approved))
    with Cloud.start(parameters, root=root, variables={"COVERED_BY_HUB": "false"}) as cloud:
        yield cloud


@pytest.fixture
def account(chosen):
    chosen.reset()
    return Account(chosen)


def test_no_more_azs_than_allowed_get_an_interface_and_that_is_well(chosen, account):
    vpc_id, _ = account.vpc_with_subnets(zones=["us-east-1a", "us-east-1b", "us-east-1d"])

    chosen.settle()

    (endpoint,) = account.endpoints(vpc_id)
    assert len(endpoint["SubnetIds"]) == 1
    assert kinds(chosen) == ["endpoint-created"]


def test_without_hubs_route_53_is_never_asked(chosen, account):
    account.vpc_with_subnets()

    chosen.settle()

    assert kinds(chosen) == ["endpoint-created"]
    assert not [call for call in chosen.calls if call.service == "route53"]


def test_a_rotation_that_the_approved_policy_refuses_is_published_with_the_actions(chosen, account):
    _, subnets = account.vpc_with_subnets()
    function, secret = account.function("rotate", subnets), account.secret("prod/orders-db")

    account.client("secretsmanager").rotate_secret(SecretId=secret, RotationLambdaARN=function)
    chosen.settle()

    (finding,) = [one for one in chosen.findings if one["kind"] == "rotation-refused-by-policy"]
    assert finding["resource"] == secret
    assert "PutSecretValue" in finding["evidence"]["refused_actions"]
    assert "one-secret" in finding["cause"]


def test_where_all_secrets_are_bound_one_without_a_tag_is_published_and_not_written(
    chosen, account
):
    secret = account.secret("prod/untagged")

    chosen.settle()

    (finding,) = [one for one in chosen.findings if one["kind"] == "secret-perimeter-lost"]
    assert finding["resource"] == secret
    assert "vpc-0123456789abcdef0" in finding["evidence"]["policy_corrected"]
    assert account.secret_policy(secret) is None
