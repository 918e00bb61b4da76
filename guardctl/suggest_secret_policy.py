"""`guardctl suggest-secret-policy SECRET`: a resource policy that keeps the secret inside.

Judges and corrects as the deployed function does, with the credentials that boto3 finds, and writes
nothing to AWS. Needs secretsmanager:DescribeSecret, secretsmanager:GetResourcePolicy,
secretsmanager:ValidateResourcePolicy, ec2:DescribeVpcs, ec2:DescribeVpcEndpoints.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any, cast

import boto3
import typer
from botocore.exceptions import ClientError

from guard.approved.lists import ApprovedLists, ApprovedListsError
from guard.endpoint.observe import Observer
from guard.partitions import endpoint_service
from guardctl.errors import Failed
from guardctl.lists import SHIPPED as LISTS
from guardctl.screen import printable, say, say_document, say_json
from guardctl.stack import CONFIG
from guardctl.words import in_words
from secret_policy.correction import Corrected, NotCorrectable, corrections
from secret_policy.observe import read_perimeter, read_secret
from secret_policy.perimeter import (
    Perimeter,
    Secret,
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
        str | None,
        typer.Option(help="Region of the secret. Default: from its ARN or the AWS configuration."),
    ] = None,
    profile: Annotated[str | None, typer.Option(help="Profile of the AWS configuration.")] = None,
    approved_vpc: Annotated[
        list[str] | None,
        typer.Option(help="An approved VPC, in addition to approved.json; repeatable."),
    ] = None,
    approved_endpoint: Annotated[
        list[str] | None,
        typer.Option(help="An approved endpoint, in addition to approved.json; repeatable."),
    ] = None,
    form: Annotated[
        Format, typer.Option("--format", help="policy: only the policy document.")
    ] = Format.POLICY,
) -> None:
    """Print a resource policy that lets a secret be read only from your approved VPCs.

    Does not change the secret. Keeps every statement of the secret's policy, except those that
    allow everybody and that AWS would refuse. Prints to standard error what the current policy
    allows, and AWS's warnings about such a policy.

    Examples:
      guardctl suggest-secret-policy db > proposed.json
      guardctl suggest-secret-policy db --region eu-west-1 --format json

    Exit codes: 0 the current policy is correct and is printed unchanged, 1 it is not and a
    corrected policy is printed, 2 bad usage or credentials, or no policy can be suggested.
    """
    try:
        session = boto3.Session(profile_name=profile)
        place = region or _region_of(secret) or session.region_name
        if not place:
            raise Failed("no Region is configured", "name one with --region")
        client = session.client("secretsmanager", region_name=place, config=CONFIG)
        found = read_secret(client, secret)
        inside = _perimeter(session, found, place, approved_vpc or [], approved_endpoint or [])
        open_ways = gaps(found.policy, found.arn, inside)
        policies = (Corrected(found.policy or ""),)
        if open_ways:
            policies = corrections(found.policy, found.arn, inside)
        policy, problems = _taken(client, found.arn, policies)
        text = policy.text
        closed = shuts_everybody_out(text, found.arn, inside)
    except (NotCorrectable, ApprovedListsError) as error:
        raise Failed(f"there is no policy to suggest: {error}") from error
    except ClientError as error:
        raise Failed(in_words(error, "secretsmanager")) from error
    _print(found, open_ways, text, problems, form)
    if policy.without:
        _say(f"left out, as it lets everybody in: {', '.join(policy.without)}")
    if closed:
        _say("It denies reading the value to everybody inside the perimeter, too.")
    if problems and open_ways:
        raise typer.Exit(BAD_INPUT)
    raise typer.Exit(OPEN if open_ways else 0)


def _taken(client: Any, arn: str, policies: Sequence[Corrected]) -> tuple[Corrected, Sequence[str]]:
    """The first policy that AWS would take; else the last one, with what AWS has against it."""
    first, *others = policies
    answer = client.validate_resource_policy(SecretId=arn, ResourcePolicy=first.text)
    problems = [str(one.get("ErrorMessage")) for one in answer.get("ValidationErrors", [])]
    return _taken(client, arn, others) if problems and others else (first, problems)


def _region_of(secret: str) -> str:
    return secret.split(":")[3] if secret.count(":") >= 6 else ""


def _perimeter(
    session: boto3.Session, secret: Secret, region: str, vpcs: list[str], endpoints: list[str]
) -> Perimeter:
    partition, account = secret.arn.split(":")[1], secret.arn.split(":")[4]
    ec2 = cast(Any, session).client("ec2", region_name=region, config=CONFIG)
    observer, lists = Observer(ec2, endpoint_service(region)), ApprovedLists.load(LISTS)
    vpc_ids, endpoint_ids = lists.vpcs.union(vpcs), lists.endpoints.union(endpoints)
    approved = replace(lists, vpcs=vpc_ids, endpoints=endpoint_ids)
    return read_perimeter(observer, account, partition, approved)


def _print(
    secret: Secret, open_ways: Sequence[str], text: str, problems: Sequence[str], form: Format
) -> None:
    if form is Format.POLICY:
        say_document(text)
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
        say_json(body, indent=2 if form is Format.JSON else None)
    for one in open_ways:
        _say(f"open: {one}")
    if not open_ways:
        _say("The present policy keeps the perimeter: nothing is to be changed.")
    for one in warnings(secret) if open_ways else ():
        _say(f"before you put it: {one}")
    for one in problems:
        _say(f"AWS would refuse it{'' if open_ways else ', if it were put now'}: {one}")


def _say(text: str) -> None:
    say(printable(text), err=True)
