"""Quotas and limits that moto does not know: Lambda's account settings, and EventBridge's rules.

GetAccountSettings is in the Lambda API reference. Service Quotas answers GetServiceQuota with the
value that holds for the account, and with NoSuchResourceException where only a default is known,
which GetAWSDefaultServiceQuota gives ("GetServiceQuota" in the Service Quotas API reference).
"""

import json
from typing import Any

from moto.awslambda import urls
from moto.awslambda.responses import LambdaResponse
from moto.servicequotas.exceptions import NoSuchResource
from moto.servicequotas.responses import ServiceQuotasResponse

from .options import options
from .patching import Patches

patches = Patches()

# Only the model that moto makes its routes of knows a path; there is nothing to undo.
urls.url_paths.setdefault(
    r"{0}/(?P<api_version>[^/]+)/account-settings/?$", LambdaResponse.dispatch
)


@patches.method(LambdaResponse)
def get_account_settings(moto: Any, response: Any) -> Any:
    functions = response.backend.list_functions()
    limit = options.concurrent_executions
    return json.dumps(
        {
            "AccountLimit": {
                "CodeSizeUnzipped": 262144000,
                "CodeSizeZipped": 52428800,
                "ConcurrentExecutions": limit,
                "TotalCodeSize": 80530636800,
                "UnreservedConcurrentExecutions": limit,
            },
            "AccountUsage": {
                "FunctionCount": len(functions),
                "TotalCodeSize": sum(one.code_size for one in functions),
            },
        }
    )


@patches.method(ServiceQuotasResponse)
def get_aws_default_service_quota(moto: Any, response: Any) -> Any:
    asked = (response._get_param("ServiceCode"), response._get_param("QuotaCode"))
    if asked != ("events", "L-244521F2"):
        raise NoSuchResource
    quota = {
        "ServiceCode": "events",
        "ServiceName": "Amazon EventBridge (CloudWatch Events)",
        "QuotaCode": "L-244521F2",
        "QuotaName": "Number of rules",
        "Value": float(options.rules_per_bus),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }
    return json.dumps({"Quota": quota})
