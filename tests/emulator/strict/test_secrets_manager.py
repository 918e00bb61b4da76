"""Rotation and resource policies of secrets."""

import io
import json
import zipfile

import pytest
from moto.awslambda_simple.models import LambdaSimpleBackend

from .account import FULL_ACCESS, REGION, refused


@pytest.fixture
def secrets(account):
    return account.client("secretsmanager")


@pytest.fixture
def secret(secrets):
    return secrets.create_secret(Name="database", SecretString="first")["ARN"]


@pytest.fixture
def function(account):
    """The ARN of a function that does nothing when it is called."""
    role = account.client("iam").create_role(
        RoleName="rotation", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17"})
    )["Role"]["Arn"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("rotation.py", "def handler(event, context): pass")
    return account.client("lambda").create_function(
        FunctionName="rotation",
        Runtime="python3.13",
        Role=role,
        Handler="rotation.handler",
        Code={"ZipFile": code.getvalue()},
    )["FunctionArn"]


def described(secrets, secret):
    answer = secrets.describe_secret(SecretId=secret)
    del answer["ResponseMetadata"]
    return answer


def test_rotation_with_a_missing_function_changes_nothing(account, secrets, secret):
    before = described(secrets, secret)
    missing = f"arn:aws:lambda:{REGION}:{account.id}:function:missing"
    with refused("ResourceNotFoundException", "Lambda does not exist or could not be accessed"):
        secrets.rotate_secret(
            SecretId=secret,
            RotationLambdaARN=missing,
            RotationRules={"AutomaticallyAfterDays": 30},
        )
    assert described(secrets, secret) == before
    assert "RotationEnabled" not in before
    assert secrets.get_secret_value(SecretId=secret)["SecretString"] == "first"


def test_rotation_without_any_function(secrets, secret):
    before = described(secrets, secret)
    with refused(
        "InvalidRequestException",
        "No Lambda rotation function ARN is associated with this secret.",
    ):
        secrets.rotate_secret(SecretId=secret)
    assert described(secrets, secret) == before


def test_the_stored_function_is_kept_and_used(secrets, secret, function):
    rules = {"AutomaticallyAfterDays": 30}
    secrets.rotate_secret(
        SecretId=secret, RotationLambdaARN=function, RotationRules=rules, RotateImmediately=False
    )
    secrets.rotate_secret(SecretId=secret, RotateImmediately=False)
    rotation = described(secrets, secret)
    assert rotation["RotationEnabled"] is True
    assert rotation["RotationLambdaARN"] == function
    assert rotation["RotationRules"] == rules


@pytest.mark.parametrize("immediately", [True, False])
def test_the_current_value_stays_until_the_function_moves_it(
    secrets, secret, function, immediately
):
    current = secrets.get_secret_value(SecretId=secret)
    secrets.rotate_secret(
        SecretId=secret,
        RotationLambdaARN=function,
        RotationRules={"AutomaticallyAfterDays": 30},
        RotateImmediately=immediately,
    )
    for expected in ({}, {"VersionStage": "AWSCURRENT"}):
        value = secrets.get_secret_value(SecretId=secret, **expected)
        assert value["SecretString"] == "first"
        assert value["VersionId"] == current["VersionId"]
    stages = described(secrets, secret)["VersionIdsToStages"]
    assert stages[current["VersionId"]] == ["AWSCURRENT"]


def test_a_function_that_fails_does_not_fail_the_request(
    secrets, secret, function, monkeypatch, caplog
):
    def fail(*_, **__):
        raise RuntimeError("no database")

    monkeypatch.setattr(LambdaSimpleBackend, "invoke", fail)
    answer = secrets.rotate_secret(
        SecretId=secret, RotationLambdaARN=function, RotationRules={"AutomaticallyAfterDays": 30}
    )
    assert answer["ARN"] == secret
    assert described(secrets, secret)["RotationEnabled"] is True
    assert secrets.get_secret_value(SecretId=secret)["SecretString"] == "first"
    assert "the rotation of database failed" in caplog.text
    assert "no database" in caplog.text


def test_rules_that_are_out_of_bounds(secrets, secret, function):
    with refused("InvalidParameterException", "1-1000"):
        secrets.rotate_secret(
            SecretId=secret,
            RotationLambdaARN=function,
            RotationRules={"AutomaticallyAfterDays": 5000},
        )
    assert "RotationEnabled" not in described(secrets, secret)


def test_rotation_can_be_cancelled(secrets, secret, function):
    secrets.rotate_secret(
        SecretId=secret, RotationLambdaARN=function, RotationRules={"AutomaticallyAfterDays": 30}
    )
    assert secrets.cancel_rotate_secret(SecretId=secret)["ARN"] == secret
    rotation = described(secrets, secret)
    assert rotation["RotationEnabled"] is False
    assert rotation["RotationLambdaARN"] == function


def test_managed_rotation_has_no_function(secrets):
    tag = {"Key": "aws:secretsmanager:owningService", "Value": "rds"}
    secret = secrets.create_secret(Name="managed", SecretString="first", Tags=[tag])["ARN"]
    secrets.rotate_secret(SecretId=secret, RotationRules={"AutomaticallyAfterDays": 7})
    rotation = described(secrets, secret)
    assert rotation["RotationEnabled"] is True
    assert "RotationLambdaARN" not in rotation
    assert secrets.get_secret_value(SecretId=secret)["SecretString"] == "first"


def test_an_unknown_secret(secrets):
    with refused("ResourceNotFoundException"):
        secrets.rotate_secret(SecretId="absent")
    with refused("ResourceNotFoundException"):
        secrets.put_resource_policy(SecretId="absent", ResourcePolicy=json.dumps(FULL_ACCESS))


def test_a_resource_policy_is_kept(secrets, secret):
    secrets.put_resource_policy(SecretId=secret, ResourcePolicy=json.dumps(FULL_ACCESS))
    kept = secrets.get_resource_policy(SecretId=secret)["ResourcePolicy"]
    assert json.loads(kept) == FULL_ACCESS


@pytest.mark.parametrize("text", ["{", "{}", '{"Statement": [{"Effect": "Allow"}]}'])
def test_a_malformed_resource_policy(secrets, secret, text):
    with refused("MalformedPolicyDocumentException", "This policy has invalid syntax."):
        secrets.put_resource_policy(SecretId=secret, ResourcePolicy=text)
    assert "ResourcePolicy" not in secrets.get_resource_policy(SecretId=secret)


def for_principal(principal, **more):
    statement = FULL_ACCESS["Statement"][0] | {"Principal": principal} | more
    return json.dumps({"Statement": [statement]})


def test_a_public_policy_can_be_blocked(secrets, secret):
    for public in ("*", {"AWS": "*"}):
        with refused("PublicPolicyException"):
            secrets.put_resource_policy(
                SecretId=secret, ResourcePolicy=for_principal(public), BlockPublicPolicy=True
            )
    assert "ResourcePolicy" not in secrets.get_resource_policy(SecretId=secret)
    narrow = for_principal({"AWS": "arn:aws:iam::111122223333:role/app"})
    conditional = for_principal(
        "*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}}
    )
    for allowed in (narrow, conditional):
        secrets.put_resource_policy(SecretId=secret, ResourcePolicy=allowed, BlockPublicPolicy=True)
        assert secrets.get_resource_policy(SecretId=secret)["ResourcePolicy"] == allowed


def test_policies_can_be_validated(secrets, secret):
    narrow = for_principal({"AWS": "arn:aws:iam::111122223333:role/app"})
    good = secrets.validate_resource_policy(SecretId=secret, ResourcePolicy=narrow)
    assert good["PolicyValidationPassed"] is True
    assert good["ValidationErrors"] == []
    for text, check in {"{": "MalformedPolicyDocument", for_principal("*"): "PublicPolicy"}.items():
        bad = secrets.validate_resource_policy(ResourcePolicy=text)
        assert bad["PolicyValidationPassed"] is False
        assert [error["CheckName"] for error in bad["ValidationErrors"]] == [check]
    with refused("ResourceNotFoundException"):
        secrets.validate_resource_policy(SecretId="absent", ResourcePolicy=narrow)
