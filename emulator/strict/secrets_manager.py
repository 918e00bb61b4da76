"""Rotation and resource policies of secrets.

moto changes a secret's rotation before it finds that the function is missing, fails the request
when the function fails, blanks the stored function when a request names none, and makes a version
without a value the current one when it rotates at once. AWS refuses first, answers before it calls
the function, falls back on the stored one, and moves AWSCURRENT only when it does. moto stores any
text as a resource policy, public ones too although BlockPublicPolicy was asked for, and has no
ValidateResourcePolicy.

Words: "No Lambda rotation function ARN is associated with this secret." getmoto/moto#3912;
"This policy has invalid syntax." awsdocs/aws-cloudformation-user-guide#623; "Lambda does not exist
or could not be accessed" localstack/localstack#12391, an emulator's words for AWS's.
"""

import json
import logging
from typing import Any

from moto.awslambda.utils import get_backend as lambda_backend
from moto.core.exceptions import JsonRESTError
from moto.secretsmanager.exceptions import (
    InvalidRequestException,
    ResourceNotFoundException,
    SecretsManagerClientError,
)
from moto.secretsmanager.models import FakeSecret, SecretsManagerBackend
from moto.secretsmanager.responses import SecretsManagerResponse

from . import policies
from .patching import Patches

patches = Patches()

logger = logging.getLogger(__name__)


@patches.method(SecretsManagerBackend)
def rotate_secret(moto: Any, backend: Any, secret_id: str, **request: Any) -> str:
    secret = backend.secrets.get(secret_id)
    if not isinstance(secret, FakeSecret) or secret.is_deleted():
        return moto(backend, secret_id, **request)  # which refuses
    function_arn = request.get("rotation_lambda_arn") or secret.rotation_lambda_arn
    if function_arn:
        _check_function(backend, function_arn)
    elif secret.owning_service:
        return _start_managed_rotation(secret, request)
    else:
        raise InvalidRequestException(
            "No Lambda rotation function ARN is associated with this secret."
        )
    try:
        return moto(backend, secret_id, **request | {"rotation_lambda_arn": function_arn})
    except JsonRESTError:
        raise
    except Exception:
        # moto runs the function within the call. AWS runs it afterwards: the caller has had its
        # answer by then, and a failure is in the record RotationFailed.
        logger.warning("the rotation of %s failed", secret.name, exc_info=True)
        return secret.to_short_dict()
    finally:
        _point_at_current(secret)


def _check_function(backend: Any, function_arn: str) -> None:
    try:
        lambda_backend(backend.account_id, backend.region_name).get_function(function_arn)
    except Exception as error:
        # moto has an error class for each way not to find a function, and a bare ValueError.
        raise ResourceNotFoundException("Lambda does not exist or could not be accessed") from error


def _start_managed_rotation(secret: FakeSecret, request: dict[str, Any]) -> str:
    """Rotation by the service that owns the secret: no function, nothing to run here."""
    secret.rotation_requested = secret.rotation_enabled = True
    rules = request.get("rotation_rules") or {}
    secret.auto_rotate_after_days = rules.get(
        "AutomaticallyAfterDays", secret.auto_rotate_after_days
    )
    return secret.to_short_dict()


def _point_at_current(secret: FakeSecret) -> None:
    """Only the rotation function moves AWSCURRENT; moto's default version must agree."""
    for version_id, version in secret.versions.items():
        if "AWSCURRENT" in version["version_stages"]:
            secret.set_default_version_id(version_id)


@patches.method(FakeSecret)
def to_dict(moto: Any, secret: FakeSecret) -> dict[str, Any]:
    answer = moto(secret)
    if not answer.get("RotationLambdaARN"):
        answer.pop("RotationLambdaARN", None)
    return answer


@patches.method(SecretsManagerResponse)
def put_resource_policy(moto: Any, request: Any) -> Any:
    request.backend.describe_secret(request._get_param("SecretId"))
    text = request._get_param("ResourcePolicy")
    try:
        document = policies.parse(text)
    except policies.MalformedPolicy as error:
        raise SecretsManagerClientError(
            "MalformedPolicyDocumentException", "This policy has invalid syntax."
        ) from error
    if request._get_param("BlockPublicPolicy") and policies.is_public(document):
        raise SecretsManagerClientError(
            "PublicPolicyException",
            "You can't attach a resource policy that allows broad access to the secret.",
        )
    return moto(request)


@patches.method(SecretsManagerResponse)
def validate_resource_policy(moto: None, request: Any) -> str:
    secret_id = request._get_param("SecretId")
    if secret_id:
        request.backend.describe_secret(secret_id)
    errors = []
    try:
        if policies.is_public(policies.parse(request._get_param("ResourcePolicy"))):
            errors.append(("PublicPolicy", "The policy allows broad access to the secret."))
    except policies.MalformedPolicy as error:
        errors.append(("MalformedPolicyDocument", f"This policy has invalid syntax. {error}"))
    return json.dumps(
        {
            "PolicyValidationPassed": not errors,
            "ValidationErrors": [
                {"CheckName": name, "ErrorMessage": message} for name, message in errors
            ],
        }
    )
