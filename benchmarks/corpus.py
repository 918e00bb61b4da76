"""CloudTrail logs to measure with: made up, always the same for a seed, and shaped as real ones.

The shapes follow the CloudTrail user guide, "CloudTrail record contents"; the mix is that of a busy
account: mostly reads by roles, some changes with policies inside, 2 % Secrets Manager.
"""

import gzip
import json
import multiprocessing
import random
import uuid
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

SEED = 20261125
SHARE = 0.02  # of records that are Secrets Manager's
PER_FILE = 2_500
ACCOUNTS = ("111122223333", "444455556666")
REGIONS = ("eu-west-1", "us-east-1")
BEGIN = datetime(2026, 6, 1, tzinfo=UTC)
DAYS = 7
OWN_ENDPOINT = "vpce-0a1b2c3d4e5f60718"


def make_corpus(folder: Path, records: int) -> None:
    """Write so many records in CloudTrail's folders, a file for each few thousand."""
    sizes = [PER_FILE] * (records // PER_FILE)
    if rest := records % PER_FILE:
        sizes.append(rest)
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("forkserver")) as pool:
        list(
            pool.map(
                _write,
                [folder] * len(sizes),
                range(len(sizes)),
                sizes,
                [len(sizes)] * len(sizes),
                chunksize=4,
            )
        )


def huge_array(file: Path, gigabytes: float) -> Path:
    """One JSON array of so many GB, as a gzip file of many members, most of them the same."""
    rng = random.Random(SEED)  # noqa: S311 - not for secrets
    text = ",\n".join(
        json.dumps(record) for record in _records(rng, 800, BEGIN, ACCOUNTS[0], REGIONS[0])
    )
    member = gzip.compress(f",\n{text}".encode(), mtime=0)
    size = len(text) + 2
    with file.open("wb") as stream:
        stream.write(gzip.compress(f"[\n{text}".encode(), mtime=0))
        for _ in range(int(gigabytes * 1e9 / size)):
            stream.write(member)
        stream.write(gzip.compress(b"\n]\n", mtime=0))
    return file


def _write(folder: Path, number: int, size: int, files: int) -> None:
    rng = random.Random(SEED * 1_000_003 + number)  # noqa: S311 - not for secrets
    account, region = rng.choice(ACCOUNTS), rng.choice(REGIONS)
    when = BEGIN + timedelta(days=DAYS) * (number / files)
    content = json.dumps(
        {"Records": list(_records(rng, size, when, account, region))}, separators=(",", ":")
    )
    place = folder / "AWSLogs" / account / "CloudTrail" / region / f"{when:%Y/%m/%d}"
    place.mkdir(parents=True, exist_ok=True)
    name = f"{account}_CloudTrail_{region}_{when:%Y%m%dT%H%MZ}_{number:08d}.json.gz"
    (place / name).write_bytes(gzip.compress(content.encode(), mtime=0))


def _records(
    rng: random.Random, size: int, when: datetime, account: str, region: str
) -> Iterator[dict[str, Any]]:
    for _ in range(size):
        when += timedelta(seconds=rng.random() / 10)
        make = _secrets_manager if rng.random() < SHARE else rng.choice(_OTHERS)
        yield _common(rng, when, account, region) | make(rng, account, region)


def _common(rng: random.Random, when: datetime, account: str, region: str) -> dict[str, Any]:
    number = rng.randrange(200)
    role, session = f"app-{number}", f"i-{number:08x}{rng.randrange(3):08x}"
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": f"AROA{rng.getrandbits(64):016X}:{session}",
            "arn": f"arn:aws:sts::{account}:assumed-role/{role}/{session}",
            "accountId": account,
            "accessKeyId": f"ASIA{rng.getrandbits(64):016X}",
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": f"AROA{rng.getrandbits(64):016X}",
                    "arn": f"arn:aws:iam::{account}:role/{role}",
                    "accountId": account,
                    "userName": role,
                },
                "attributes": {
                    "creationDate": f"{when - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
                    "mfaAuthenticated": "false",
                },
                "ec2RoleDelivery": "2.0",
            },
        },
        "eventTime": f"{when:%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": "",
        "eventName": "",
        "awsRegion": region,
        "sourceIPAddress": f"203.0.113.{number % 8}",
        "userAgent": "aws-sdk-go-v2/1.36.3 os/linux lang/go#1.24.2 md/GOOS#linux md/GOARCH#arm64",
        "requestParameters": None,
        "responseElements": None,
        "requestID": str(uuid.UUID(int=rng.getrandbits(128))),
        "eventID": str(uuid.UUID(int=rng.getrandbits(128))),
        "readOnly": True,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
        "tlsDetails": {
            "tlsVersion": "TLSv1.3",
            "cipherSuite": "TLS_AES_128_GCM_SHA256",
            "clientProvidedHostHeader": f"ec2.{region}.amazonaws.com",
        },
    }


def _secrets_manager(rng: random.Random, account: str, region: str) -> dict[str, Any]:
    name = f"prod/service-{rng.randrange(60)}/database"
    endpoint = {"vpcEndpointId": OWN_ENDPOINT, "vpcEndpointAccountId": account}
    return {
        "eventSource": "secretsmanager.amazonaws.com",
        "eventName": rng.choice(("GetSecretValue", "GetSecretValue", "DescribeSecret")),
        "requestParameters": {
            "secretId": f"arn:aws:secretsmanager:{region}:{account}:secret:{name}-AbCdEf"
        },
        **(endpoint if rng.random() < 0.8 else {}),
    }


def _describe(rng: random.Random, _account: str, _region: str) -> dict[str, Any]:
    instance = {"instanceId": f"i-{rng.getrandbits(64):016x}"}
    return {
        "eventSource": "ec2.amazonaws.com",
        "eventName": "DescribeInstances",
        "requestParameters": {"instancesSet": {"items": [instance]}, "filterSet": {}},
    }


def _assume(rng: random.Random, account: str, _region: str) -> dict[str, Any]:
    role = f"arn:aws:iam::{account}:role/app-{rng.randrange(200)}"
    return {
        "eventSource": "sts.amazonaws.com",
        "eventName": "AssumeRole",
        "requestParameters": {"roleArn": role, "roleSessionName": f"s{rng.getrandbits(32)}"},
        "responseElements": {
            "credentials": {
                "accessKeyId": f"ASIA{rng.getrandbits(64):016X}",
                "sessionToken": f"{rng.getrandbits(1200):x}",
                "expiration": "Jun 1, 2026, 1:00:00 PM",
            },
            "assumedRoleUser": {"arn": f"{role}/session"},
        },
        "resources": [{"accountId": account, "type": "AWS::IAM::Role", "ARN": role}],
    }


def _decrypt(rng: random.Random, account: str, region: str) -> dict[str, Any]:
    key = f"arn:aws:kms:{region}:{account}:key/{uuid.UUID(int=rng.getrandbits(128))}"
    context = {"SecretARN": f"arn:aws:secretsmanager:{region}:{account}:secret:x-AbCdEf"}
    return {
        "eventSource": "kms.amazonaws.com",
        "eventName": "Decrypt",
        "requestParameters": {
            "encryptionAlgorithm": "SYMMETRIC_DEFAULT",
            "encryptionContext": context,
        },
        "resources": [{"accountId": account, "type": "AWS::KMS::Key", "ARN": key}],
    }


def _put_policy(rng: random.Random, _account: str, _region: str) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:PutObject"],
        "Resource": f"arn:aws:s3:::bucket-{rng.randrange(999)}/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2)
    return {
        "eventSource": "iam.amazonaws.com",
        "eventName": "PutRolePolicy",
        "readOnly": False,
        "requestParameters": {
            "roleName": f"app-{rng.randrange(200)}",
            "policyName": "inline",
            "policyDocument": policy,
        },
    }


def _log_stream(rng: random.Random, _account: str, _region: str) -> dict[str, Any]:
    return {
        "eventSource": "logs.amazonaws.com",
        "eventName": "CreateLogStream",
        "readOnly": False,
        "requestParameters": {
            "logGroupName": f"/aws/lambda/app-{rng.randrange(200)}",
            "logStreamName": f"2026/06/01/[$LATEST]{rng.getrandbits(128):032x}",
        },
        "apiVersion": "20140328",
    }


_OTHERS = (_describe, _describe, _describe, _assume, _assume, _decrypt, _put_policy, _log_stream)
