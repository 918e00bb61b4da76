"""CloudTrail records in the shapes that real ones have, with made-up ids, and how to vary them."""

import copy
from typing import Any

ACCOUNT = "111122223333"
OTHER_ACCOUNT = "444455556666"
REGION = "eu-west-1"
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:prod/db-AbCdEf"
OWN_ENDPOINT = "vpce-0aaaaaaaaaaaaaaa1"
FOREIGN_ENDPOINT = "vpce-0ffffffffffffffff"

ALICE = {
    "type": "IAMUser",
    "principalId": "AIDAEXAMPLEALICE00000",
    "arn": f"arn:aws:iam::{ACCOUNT}:user/alice",
    "accountId": ACCOUNT,
    "accessKeyId": "AKIAEXAMPLE000000000",
    "userName": "alice",
}
ROOT = {
    "type": "Root",
    "principalId": ACCOUNT,
    "arn": f"arn:aws:iam::{ACCOUNT}:root",
    "accountId": ACCOUNT,
}


def role(name: str = "app", session: str = "i-0123456789abcdef0", **more: Any) -> dict[str, Any]:
    """A role's session, with what else the identity is to hold."""
    return {
        "type": "AssumedRole",
        "principalId": f"AROAEXAMPLE0000000000:{session}",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{name.rpartition('/')[2]}/{session}",
        "accountId": ACCOUNT,
        "accessKeyId": "ASIAEXAMPLE000000000",
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": "AROAEXAMPLE0000000000",
                "arn": f"arn:aws:iam::{ACCOUNT}:role/{name}",
                "accountId": ACCOUNT,
                "userName": name.rpartition("/")[2],
            },
            "attributes": {"creationDate": "2026-06-01T08:00:00Z", "mfaAuthenticated": "false"},
        },
        **more,
    }


READ = {
    "eventVersion": "1.11",
    "userIdentity": ALICE,
    "eventTime": "2026-06-01T09:30:00Z",
    "eventSource": "secretsmanager.amazonaws.com",
    "eventName": "GetSecretValue",
    "awsRegion": REGION,
    "sourceIPAddress": "198.51.100.7",
    "userAgent": "aws-cli/2.31.0 md/awscrt#0.27.6 ua/2.1 os/linux#6.8.0 lang/python#3.13.7",
    "requestParameters": {"secretId": SECRET},
    "responseElements": None,
    "requestID": "0b9e6b4e-1111-4111-8111-000000000001",
    "eventID": "3f0c1a52-2222-4222-8222-000000000001",
    "readOnly": True,
    "eventType": "AwsApiCall",
    "managementEvent": True,
    "recipientAccountId": ACCOUNT,
    "eventCategory": "Management",
    "tlsDetails": {
        "tlsVersion": "TLSv1.3",
        "cipherSuite": "TLS_AES_128_GCM_SHA256",
        "clientProvidedHostHeader": f"secretsmanager.{REGION}.amazonaws.com",
    },
}

ROTATION_SUCCEEDED = {
    "eventVersion": "1.08",
    "userIdentity": {"accountId": ACCOUNT, "invokedBy": "secretsmanager.amazonaws.com"},
    "eventTime": "2026-06-01T09:30:00Z",
    "eventSource": "secretsmanager.amazonaws.com",
    "eventName": "RotationSucceeded",
    "awsRegion": REGION,
    "sourceIPAddress": "secretsmanager.amazonaws.com",
    "userAgent": "secretsmanager.amazonaws.com",
    "requestParameters": None,
    "responseElements": None,
    "additionalEventData": {"SecretId": SECRET},
    "requestID": f"Rotation-{SECRET}-0b9e6b4e-1111-4111-8111-000000000002",
    "eventID": "3f0c1a52-2222-4222-8222-000000000002",
    "readOnly": False,
    "eventType": "AwsServiceEvent",
    "managementEvent": True,
    "recipientAccountId": ACCOUNT,
    "eventCategory": "Management",
}

ENDPOINT_DENIED = {
    "eventVersion": "1.09",
    "userIdentity": {
        "type": "AWSAccount",
        "principalId": "AROAEXAMPLE0000000000:session",
        "accountId": OTHER_ACCOUNT,
    },
    "eventTime": "2026-06-01T09:30:00Z",
    "eventSource": "secretsmanager.amazonaws.com",
    "eventName": "GetSecretValue",
    "awsRegion": REGION,
    "sourceIPAddress": "10.0.136.39",
    "errorCode": "VpceAccessDenied",
    "errorMessage": "The request was denied due to a VPC endpoint policy",
    "requestID": "0b9e6b4e-1111-4111-8111-000000000003",
    "eventID": "3f0c1a52-2222-4222-8222-000000000003",
    "eventType": "AwsVpceEvent",
    "recipientAccountId": ACCOUNT,
    "sharedEventID": "5b1d8f00-3333-4333-8333-000000000003",
    "vpcEndpointId": OWN_ENDPOINT,
    "vpcEndpointAccountId": ACCOUNT,
    "eventCategory": "NetworkActivity",
}


def changed(record: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A copy of a record with these fields; a field that is `...` is left out."""
    result = {**copy.deepcopy(record), **fields}
    return {key: value for key, value in result.items() if value is not ...}


def read(**fields: Any) -> dict[str, Any]:
    """A successful GetSecretValue by alice from a public address, varied by these fields."""
    return changed(READ, **fields)


def envelope(record: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The EventBridge event that brings a record."""
    kinds = {
        "AwsServiceEvent": "AWS Service Event via CloudTrail",
        "AwsVpceEvent": "AWS Network Activity Event via CloudTrail",
    }
    return {
        "version": "0",
        "id": "7bf73129-4444-4444-8444-000000000001",
        "detail-type": kinds.get(str(record.get("eventType")), "AWS API Call via CloudTrail"),
        "source": "aws.secretsmanager",
        "account": ACCOUNT,
        "time": "2026-06-01T09:30:04Z",
        "region": REGION,
        "resources": [],
        "detail": record,
        **fields,
    }
