"""`guardctl suggest-secret-policy SECRET`: a resource policy that keeps the secret inside.

Judges and corrects as the deployed function does, with the credentials that boto3 finds, and writes
nothing to AWS. Needs secretsmanager:DescribeSecret, secretsmanager:GetResourcePolicy,
secretsmanager:ValidateResourcePolicy, ec2:DescribeVpcs, ec2:DescribeVpcEndpoints.
"""

import json
import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, NoReturn, cast

import boto3
import typer
from botocore.exceptions import BotoCoreError, ClientError

from guard.approved.lists import ApprovedLists, ApprovedListsError
from guard.endpoint.observe import Observer
from guard.partitions import endpoint_service
from guardctl.lists import SHIPPED as LISTS
from guardctl.replay.screen import printable
from guardctl.stack import CONFIG
from guardctl.words import in_words
from secret_policy.observe import read_perimeter, read_secret
from secret_policy.perimeter import (
    NotCorrectable,
    Perimeter,
    Secret,
    corrected,
    gaps,
    shuts_everybody_out,
    warnings,
)

OPEN, BAD_INPUT = 1, 2


class Format(StrEnum):
    """How the result is printed: the policy alone, to be put as it is, or with why."""

    POLICY = "policy"
    JSON = "json"
    JSONL = "jsonl"


def suggest_secret_policy(
    secret: Annotated[str, typer.Argument(metavar="SECRET", help="The secret's ARN or name.")],
    region: Annotated[
        str | None, typer.Option(help="Region of the secret. Else its ARN's, or what boto3 finds.")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="Profile of the AWS configuration.")] = None,
    approved_vpc: Annotated[
        list[str] | None, typer.Option(help="An approved VPC, besides approved.json; repeatable.")
    ] = None,
    approved_endpoint: Annotated[
        list[str] | None,
        typer.Option(help="An approved endpoint, besides approved.json; repeatable."),
    ] = None,
    form: Annotated[
        Format, typer.Option("--format", help="policy: the document alone, on standard output.")
    ] = Format.POLICY,
) -> None:
    """Print a resource policy by which the secret can be read from inside alone. Writes nothing.

    Every statement that the secret's policy has is kept. What is open now, and what AWS warns of
    before such a policy is put, is told on standard error.

    Exit codes: 0 the present policy keeps the perimeter and is printed as it is, 1 it does not and
    a corrected one is printed, 2 bad usage, credentials, or no policy that could be suggested.
    """
    try:
        session = boto3.Session(profile_name=profile)
        place = region or _region_of(secret) or session.region_name
        if not place:
            _fail("no Region is configured: name one with --region")
        client = session.client("secretsmanager", region_name=place, config=CONFIG)
        found = read_secret(client, secret)
        inside = _perimeter(session, found, place, approved_vpc or [], approved_endpoint or [])
        open_ways = gaps(found.policy, found.arn, inside)
        text = corrected(found.policy, found.arn, inside) if open_ways else found.policy or ""
        closed = shuts_everybody_out(text, found.arn, inside)
        answer = client.validate_resource_policy(SecretId=found.arn, ResourcePolicy=text)
    except (NotCorrectable, ApprovedListsError) as error:
        _fail(f"there is no policy to suggest: {error}")
    except (BotoCoreError, ClientError) as error:
        _fail(in_words(error, "secretsmanager"))
    problems = [str(one.get("ErrorMessage")) for one in answer.get("ValidationErrors", [])]
    _print(found, open_ways, text, problems, form)
    if closed:
        _say("It denies reading the value to everybody inside the perimeter, too.")
    if problems:
        raise typer.Exit(BAD_INPUT)
    raise typer.Exit(OPEN if open_ways else 0)


def _region_of(secret: str) -> str:
    return secret.split(":")[3] if secret.count(":") >= 6 else ""


def _perimeter(
    session: boto3.Session, secret: Secret, region: str, vpcs: list[str], endpoints: list[str]
) -> Perimeter:
    partition, account = secret.arn.split(":")[1], secret.arn.split(":")[4]
    ec2 = cast(Any, session).client("ec2", region_name=region, config=CONFIG)
    observer, lists = Observer(ec2, endpoint_service(region)), ApprovedLists.load(LISTS)
    inside = lists.vpcs.union(vpcs), lists.endpoints.union(endpoints)
    return read_perimeter(observer, account, partition, *inside)


def _print(
    secret: Secret, open_ways: Sequence[str], text: str, problems: Sequence[str], form: Format
) -> None:
    if form is Format.POLICY:
        print(text)
    else:
        body = {
            "secret": secret.arn,
            "keeps_the_perimeter": not open_ways,
            "gaps": list(open_ways),
            "aws_warns": list(warnings(secret)),
            "aws_refuses": list(problems),
            "policy_before": json.loads(secret.policy) if secret.policy else None,
            "policy": json.loads(text),
        }
        print(json.dumps(body, indent=2 if form is Format.JSON else None))
    for one in open_ways:
        _say(f"open: {one}")
    if not open_ways:
        _say("The present policy keeps the perimeter: nothing is to be changed.")
        return
    for one in warnings(secret):
        _say(f"before you put it: {one}")
    for one in problems:
        _say(f"AWS would refuse it: {one}")


def _say(text: str) -> None:
    print(printable(text), file=sys.stderr)


def _fail(message: str) -> NoReturn:
    _say(f"guardctl suggest-secret-policy: {message}")
    raise typer.Exit(BAD_INPUT)
