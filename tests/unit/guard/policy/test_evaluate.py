# ruff: noqa: E501  (a decision is a row: it reads better long than broken)
"""The evaluator of endpoint policies against decisions that AWS documents.

Each group of rows is under the address of AWS's page that it comes from.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.approved.policies import Placeholders, load
from guard.policy import Risk, differences, parse
from guard.policy.evaluate import (
    TOO_LARGE,
    Decision,
    Outcome,
    Request,
    Unnamed,
    evaluate,
    principals_of,
)
from guard.policy.matching import Matcher
from guardctl.policies import SHIPPED

ACCOUNT = "123456789012"
OTHER = "999999999999"
ALLOW, DENY, UNKNOWN = Outcome.ALLOW, Outcome.DENY, Outcome.UNKNOWN
SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-a1b2c3"
ROLE = "arn:aws:iam::123456789012:role/app"
SESSION = "arn:aws:sts::123456789012:assumed-role/app/i-1"
USER = "arn:aws:iam::123456789012:user/Bob"
GET = "secretsmanager:GetSecretValue"
PRESENT_TAG = "aws:PrincipalTag/team"


def s(**elements: Any) -> dict[str, Any]:
    base = {"Effect": "Allow", "Principal": "*", "Action": GET, "Resource": "*"}
    return {key: value for key, value in (base | elements).items() if value is not None}


def c(operator: str, key: str, values: Any, **elements: Any) -> dict[str, Any]:
    return s(Condition={operator: {key: values}}, **elements)


def deny(**elements: Any) -> dict[str, Any]:
    return s(Effect="Deny", **elements)


def policy(*statements: dict[str, Any], version: str = "2012-10-17"):
    return parse(json.dumps({"Version": version, "Statement": list(statements)}))


def r(**fields: Any) -> dict[str, Any]:
    """A request of which everything is known, unless the fields say otherwise."""
    base = {
        "action": GET,
        "resource": SECRET,
        "principals": principals_of(SESSION),
        "complete": True,
    }
    return base | fields


def having(key: str, *values: str, **fields: Any) -> dict[str, Any]:
    return r(context={key: values}, **fields)


def bob(**fields: Any) -> dict[str, Any]:
    return r(principals=principals_of(USER), **fields)


def action(name: str) -> dict[str, Any]:
    return r(action=name)


def resource(arn: str | None) -> dict[str, Any]:
    return r(resource=arn)


ARN = "aws:PrincipalArn"
KEYS = "aws:TagKeys"
VPC = "aws:SourceVpc"
TIME = "aws:CurrentTime"
IP = "aws:SourceIp"
DAYS = "secretsmanager:RecoveryWindowInDays"
SOME = SECRET[:-6]

type Row = tuple[str, list[dict[str, Any]], dict[str, Any], Outcome]
AWS = "https://docs.aws.amazon.com"
IAM = f"{AWS}/IAM/latest/UserGuide"
OURS = "what follows from knowing less than AWS"

DECISIONS: dict[str, list[Row]] = {
    f"{IAM}/reference_policies_evaluation-logic.html": [
        ("by default, all requests are implicitly denied", [s(Action="sts:*")], r(), DENY),
        ("an explicit allow overrides this default", [s()], r(), ALLOW),
        ("an explicit deny overrides any allows", [s(), deny()], r(), DENY),
        ("whatever the order", [deny(), s()], r(), DENY),
        ("a deny of something else denies nothing", [s(), deny(Action="secretsmanager:DeleteSecret")], r(), ALLOW),
        ("a deny alone does not allow the rest", [deny(Action="secretsmanager:DeleteSecret")], r(), DENY),
        ("one allow of several is enough", [s(Action="sts:*"), s()], r(), ALLOW),
    ],
    f"{AWS}/vpc/latest/privatelink/vpc-endpoints-access.html": [
        ("the default policy allows full access", [s(Action="*")], r(), ALLOW),
        ("also to anonymous callers", [s(Action="*")], r(principals=frozenset()), ALLOW),
    ],
    f"{IAM}/reference_policies_elements_action.html": [
        ("the prefix and the action name are case insensitive", [s(Action="SecretsManager:getsecretvalue")], r(), ALLOW),
        ("in the request too", [s()], action(GET.upper()), ALLOW),
        ("a wildcard for all actions of a service", [s(Action="secretsmanager:*")], r(), ALLOW),
        ("which is no other service's", [s(Action="secretsmanager:*")], action("kms:Decrypt"), DENY),
        ("a wildcard as part of the action's name", [s(Action="secretsmanager:*Secret*")], r(), ALLOW),
        ("*Value* is in GetSecretValue", [s(Action="secretsmanager:*Value*")], r(), ALLOW),
        ("a question mark is one character", [s(Action="secretsmanager:?etSecretValue")], r(), ALLOW),
        ("and never none", [s(Action="secretsmanager:?GetSecretValue")], r(), DENY),
        ("one of several actions", [s(Action=["sts:*", GET])], r(), ALLOW),
        ("another action of the service is not allowed with it", [s()], action("secretsmanager:PutSecretValue"), DENY),
    ],
    f"{IAM}/reference_policies_elements_notaction.html": [
        ("NotAction with Allow allows everything else", [s(Action=None, NotAction="iam:*")], r(), ALLOW),
        ("and not what it names", [s(Action=None, NotAction="secretsmanager:Get*")], r(), DENY),
        ("NotAction with Deny denies what is not listed", [s(Action="*"), deny(Action=None, NotAction="iam:*")], r(), DENY),
        ("and does not allow what is", [deny(Action=None, NotAction=GET)], r(), DENY),
        ("but lets an Allow do so", [s(), deny(Action=None, NotAction=GET)], r(), ALLOW),
    ],
    f"{IAM}/reference_policies_elements_resource.html": [
        ("a resource by its ARN", [s(Resource=SECRET)], r(), ALLOW),
        ("another one is not allowed with it", [s(Resource=SECRET)], resource(SOME + "zzzzzz"), DENY),
        ("ARNs have case", [s(Resource=SECRET)], resource(SECRET.upper().replace("ARN", "arn")), DENY),
        ("six characters after the name (Secrets Manager guide)", [s(Resource=SOME + "??????")], r(), ALLOW),
        ("six, not seven", [s(Resource=SOME + "??????")], resource(SECRET + "4"), DENY),
        ("a star takes any number of characters", [s(Resource=SOME + "*")], resource(SECRET + "4"), ALLOW),
        ("and none", [s(Resource=SECRET + "*")], r(), ALLOW),
        ("a star in the middle of a part", [s(Resource=SECRET.replace("central", "*"))], r(), ALLOW),
        ("a wildcard for the Region", [s(Resource=SECRET.replace("eu-central-1", "*"))], r(), ALLOW),
        ("a star that ends a part can take colons", [s(Resource="arn:aws:secretsmanager:*:secret:db-a1b2c3")], r(), UNKNOWN),
        ("in a deny, too", [s(), deny(Resource="arn:aws:secretsmanager:*:secret:db-a1b2c3")], r(), UNKNOWN),
        ("and in what a deny leaves out", [s(), deny(Resource=None, NotResource="arn:aws:*:db-a1b2c3")], r(), UNKNOWN),
        ("what follows must follow all the same", [s(Resource="arn:aws:secretsmanager:*:secret:api-a1b2c3")], r(), DENY),
        ("a star that reaches no colon matches for sure", [s(Resource="arn:aws:secretsmanager:*:*:secret:db-*")], r(), ALLOW),
        ("a star within a part does not take colons", [s(Resource="arn:aws:secretsmanager:eu*3:secret:db-a1b2c3")], r(), DENY),
        ("what has too few parts is not documented", [s(Resource="arn:aws:sec*db-a1b2c3")], r(), UNKNOWN),
        ("a question mark is no colon", [s(Resource=SECRET.replace("secretsmanager:eu-central-1:", "secretsmanager?eu-central-1?:"))], r(), DENY),
        ("but one at the end takes the rest", [s(Resource="arn:aws:secretsmanager:*")], r(), ALLOW),
        ("the last part may have colons itself", [s(Resource="arn:aws:secretsmanager:*:*:*")], r(), ALLOW),
        ("everything", [s(Resource="*")], resource("*"), ALLOW),
        ("an action without a resource is on *, which no ARN is", [s(Resource="arn:*")], resource("*"), DENY),
        ("one of several resources", [s(Resource=["arn:aws:s3:::x", SECRET])], r(), ALLOW),
    ],
    f"{IAM}/reference_policies_elements_notresource.html": [
        ("NotResource with Allow allows all others", [s(Resource=None, NotResource="arn:aws:s3:::x")], r(), ALLOW),
        ("and not what it names", [s(Resource=None, NotResource=SECRET)], r(), DENY),
        ("NotResource with Deny denies all others", [s(), deny(Resource=None, NotResource=SECRET)], resource(SOME + "zzzzzz"), DENY),
        ("and leaves what it names", [s(), deny(Resource=None, NotResource=SECRET)], r(), ALLOW),
    ],
    f"{IAM}/reference_policies_elements_principal.html": [
        ("everyone", [s(Principal={"AWS": "*"})], r(), ALLOW),
        ("an account stands for all its identities", [s(Principal={"AWS": ACCOUNT})], r(), ALLOW),
        ("its root ARN likewise", [s(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})], bob(), ALLOW),
        ("and for nobody of another account", [s(Principal={"AWS": OTHER})], r(), DENY),
        ("a role stands for its sessions", [s(Principal={"AWS": ROLE})], r(), ALLOW),
        ("a role with a path", [s(Principal={"AWS": ROLE.replace("app", "team/app")})], r(principals=principals_of(SESSION, role_path="/team/")), ALLOW),
        ("another role does not", [s(Principal={"AWS": ROLE + "2"})], r(), DENY),
        ("one session of a role", [s(Principal={"AWS": SESSION})], r(), ALLOW),
        ("and not another of them", [s(Principal={"AWS": SESSION + "2"})], r(), DENY),
        ("a user", [s(Principal={"AWS": USER})], bob(), ALLOW),
        ("a user is not a role", [s(Principal={"AWS": USER})], r(), DENY),
        ("the ARN of the user has case", [s(Principal={"AWS": USER.lower()})], bob(), DENY),
        ("a service by its principal", [s(Principal={"Service": "ecs.amazonaws.com"})], r(principals=frozenset({"Service:ecs.amazonaws.com"})), ALLOW),
        ("a service is nobody of the account", [s(Principal={"AWS": ACCOUNT})], r(principals=frozenset({"Service:ecs.amazonaws.com"})), DENY),
        ("an anonymous caller is nobody of an account", [s(Principal={"AWS": ACCOUNT})], r(principals=frozenset()), DENY),
        ("an unknown principal may be the one", [s(Principal={"AWS": ROLE})], r(principals=None), UNKNOWN),
    ],
    f"{IAM}/reference_policies_elements_notprincipal.html": [
        ("Bob and his account are excepted from a deny", [s(), deny(Principal=None, NotPrincipal={"AWS": [USER, ACCOUNT]})], bob(), ALLOW),
        ("others of his account are not", [s(), deny(Principal=None, NotPrincipal={"AWS": [USER, OTHER]})], r(), DENY),
        ("a session, its role and its account are excepted", [s(), deny(Principal=None, NotPrincipal={"AWS": [SESSION, ROLE, ACCOUNT]})], r(), ALLOW),
        ("without its account it might be denied", [s(), deny(Principal=None, NotPrincipal={"AWS": [SESSION, ROLE]})], r(), UNKNOWN),
        ("nobody is excepted from a deny for another account", [s(), deny(Principal=None, NotPrincipal={"AWS": OTHER})], r(), DENY),
    ],
    f"{IAM}/reference_policies_condition-logic-multiple-context-keys-or-values.html": [
        ("several values of a key are alternatives", [c("StringEquals", "aws:PrincipalAccount", [OTHER, ACCOUNT])], having("aws:PrincipalAccount", ACCOUNT), ALLOW),
        ("none of them", [c("StringEquals", "aws:PrincipalAccount", [OTHER])], having("aws:PrincipalAccount", ACCOUNT), DENY),
        ("several keys must all match", [s(Condition={"StringEquals": {"aws:PrincipalAccount": ACCOUNT, PRESENT_TAG: "hr"}})], having("aws:PrincipalAccount", ACCOUNT), DENY),
        ("several operators must all match", [s(Condition={"StringEquals": {"aws:PrincipalAccount": ACCOUNT}, "Bool": {"aws:SecureTransport": "true"}})], r(context={"aws:PrincipalAccount": ACCOUNT, "aws:SecureTransport": "false"}), DENY),
        ("and do", [s(Condition={"StringEquals": {"aws:PrincipalAccount": ACCOUNT}, "Bool": {"aws:SecureTransport": "true"}})], r(context={"aws:PrincipalAccount": ACCOUNT, "aws:SecureTransport": "true"}), ALLOW),
        ("names of keys are not case sensitive", [c("StringEquals", "AWS:principalACCOUNT", ACCOUNT)], having("aws:PrincipalAccount", ACCOUNT), ALLOW),
        ("tag keys neither", [c("StringEquals", "aws:PrincipalTag/TEAM", "hr")], having(PRESENT_TAG, "hr"), ALLOW),
        ("several values of a negative operator are all refused", [c("StringNotEquals", PRESENT_TAG, ["hr", "it"])], having(PRESENT_TAG, "it"), DENY),
        ("what is none of them passes", [c("StringNotEquals", PRESENT_TAG, ["hr", "it"])], having(PRESENT_TAG, "ops"), ALLOW),
    ],
    f"{IAM}/reference_policies_elements_condition_operators.html": [
        # Condition operators: a key that is absent
        ("an absent key does not match", [c("StringEquals", PRESENT_TAG, "hr")], r(), DENY),
        ("an absent key passes a negative operator", [c("StringNotEquals", PRESENT_TAG, "hr")], r(), ALLOW),
        ("StringNotLike likewise", [c("StringNotLike", PRESENT_TAG, "hr*")], r(), ALLOW),
        ("ArnNotLike likewise", [c("ArnNotLike", ARN, ROLE)], r(), ALLOW),
        ("NotIpAddress likewise", [c("NotIpAddress", IP, "203.0.113.0/24")], r(), ALLOW),
        ("a deny by a negative operator applies to an absent key", [s(), c("StringNotEquals", "aws:SourceVpc", "vpc-1", Effect="Deny")], r(), DENY),
        ("IfExists passes an absent key", [c("StringEqualsIfExists", PRESENT_TAG, "hr")], r(), ALLOW),
        ("IfExists compares a present one", [c("StringEqualsIfExists", PRESENT_TAG, "hr")], having(PRESENT_TAG, "it"), DENY),
        ("which may match", [c("StringEqualsIfExists", PRESENT_TAG, "hr")], having(PRESENT_TAG, "hr"), ALLOW),
        ("BoolIfExists", [c("BoolIfExists", "aws:MultiFactorAuthPresent", "true")], r(), ALLOW),
        ("a deny with BoolIfExists false takes those without the key", [s(), c("BoolIfExists", "aws:MultiFactorAuthPresent", "false", Effect="Deny")], r(), DENY),
        ("a deny with Bool false does not", [s(), c("Bool", "aws:MultiFactorAuthPresent", "false", Effect="Deny")], r(), ALLOW),
        # Condition operators: Null
        ("Null true asks for absence", [c("Null", "aws:TokenIssueTime", "true")], r(), ALLOW),
        ("and finds presence", [c("Null", "aws:TokenIssueTime", "true")], having("aws:TokenIssueTime", "2030-01-01T00:00:00Z"), DENY),
        ("Null false asks for presence", [c("Null", "aws:TokenIssueTime", False)], having("aws:TokenIssueTime", "2030-01-01T00:00:00Z"), ALLOW),
        ("and finds absence", [c("Null", "aws:TokenIssueTime", False)], r(), DENY),
        ("a key without values is null", [c("Null", KEYS, "true")], having(KEYS), ALLOW),
        # Condition operators: strings
        ("StringEquals is exact and has case", [c("StringEquals", PRESENT_TAG, "hr")], having(PRESENT_TAG, "HR"), DENY),
        ("StringEqualsIgnoreCase has none", [c("StringEqualsIgnoreCase", PRESENT_TAG, "Hr")], having(PRESENT_TAG, "hR"), ALLOW),
        ("StringNotEqualsIgnoreCase has none", [c("StringNotEqualsIgnoreCase", PRESENT_TAG, "Hr")], having(PRESENT_TAG, "hR"), DENY),
        ("StringEquals has no wildcards", [c("StringEquals", PRESENT_TAG, "h*")], having(PRESENT_TAG, "hr"), DENY),
        ("a star for StringEquals is a star", [c("StringEquals", PRESENT_TAG, "h*")], having(PRESENT_TAG, "h*"), ALLOW),
        ("StringLike has a multi-character wildcard", [c("StringLike", PRESENT_TAG, "finance-*")], having(PRESENT_TAG, "finance-eu"), ALLOW),
        ("and a single-character one", [c("StringLike", PRESENT_TAG, "finance-?")], having(PRESENT_TAG, "finance-eu"), DENY),
        ("StringLike has case", [c("StringLike", PRESENT_TAG, "finance-*")], having(PRESENT_TAG, "Finance-eu"), DENY),
        ("StringNotLike", [c("StringNotLike", PRESENT_TAG, "finance-*")], having(PRESENT_TAG, "finance-eu"), DENY),
        # Condition operators: numbers
        ("NumericLessThanEquals takes the limit", [c("NumericLessThanEquals", DAYS, "10")], having(DAYS, "10"), ALLOW),
        ("and nothing above", [c("NumericLessThanEquals", DAYS, "10")], having(DAYS, "11"), DENY),
        ("NumericLessThan does not take the limit", [c("NumericLessThan", DAYS, 10)], having(DAYS, "10"), DENY),
        ("numbers are not compared as text", [c("NumericLessThan", DAYS, 10)], having(DAYS, "9"), ALLOW),
        ("NumericGreaterThan", [c("NumericGreaterThan", DAYS, 7)], having(DAYS, "30"), ALLOW),
        ("NumericGreaterThanEquals", [c("NumericGreaterThanEquals", DAYS, 7)], having(DAYS, "7"), ALLOW),
        ("NumericEquals", [c("NumericEquals", DAYS, 7)], having(DAYS, "7.0"), ALLOW),
        ("NumericNotEquals", [c("NumericNotEquals", DAYS, 7)], having(DAYS, "7"), DENY),
        ("what is no number matches none", [c("NumericEquals", DAYS, 7)], having(DAYS, "seven"), DENY),
        # Condition operators: dates
        ("DateLessThan", [c("DateLessThan", TIME, "2030-01-01T00:00:00Z")], having(TIME, "2029-12-31T23:59:59Z"), ALLOW),
        ("not at that time itself", [c("DateLessThan", TIME, "2030-01-01T00:00:00Z")], having(TIME, "2030-01-01T00:00:00Z"), DENY),
        ("DateGreaterThan", [c("DateGreaterThan", TIME, "2030-01-01T00:00:00Z")], having(TIME, "2030-01-01T00:00:01Z"), ALLOW),
        ("time zones count", [c("DateGreaterThanEquals", TIME, "2030-01-01T00:00:00Z")], having(TIME, "2030-01-01T00:30:00+01:00"), DENY),
        ("epoch seconds are dates", [c("DateLessThanEquals", "aws:EpochTime", "2030-01-01T00:00:00Z")], having("aws:EpochTime", "1893456000"), ALLOW),
        ("a day is a date", [c("DateEquals", TIME, "2030-01-01")], having(TIME, "2030-01-01T00:00:00Z"), ALLOW),
        # Condition operators: Bool, BinaryEquals, IP addresses
        ("Bool", [c("Bool", "aws:SecureTransport", "true")], having("aws:SecureTransport", "true"), ALLOW),
        ("Bool, the other way", [c("Bool", "aws:SecureTransport", True)], having("aws:SecureTransport", "false"), DENY),
        ("BinaryEquals", [c("BinaryEquals", "key", "QmluYXJ5")], having("key", "QmluYXJ5"), ALLOW),
        ("an address in a range", [c("IpAddress", IP, "203.0.113.0/24")], having(IP, "203.0.113.77"), ALLOW),
        ("and out of it", [c("IpAddress", IP, "203.0.113.0/24")], having(IP, "203.0.114.1"), DENY),
        ("an address without prefix is one address", [c("IpAddress", IP, "203.0.113.5")], having(IP, "203.0.113.6"), DENY),
        ("NotIpAddress", [c("NotIpAddress", IP, ["203.0.113.0/24", "198.51.100.0/24"])], having(IP, "198.51.100.1"), DENY),
        ("IPv6", [c("IpAddress", IP, "2001:DB8:1234:5678::/64")], having(IP, "2001:db8:1234:5678::1"), ALLOW),
        ("an IPv4 address is in no IPv6 range", [c("IpAddress", IP, "2001:db8::/32")], having(IP, "203.0.113.5"), DENY),
        ("a name of a service is no address", [c("IpAddress", IP, "0.0.0.0/0")], having(IP, "lambda.amazonaws.com"), DENY),
        # Condition operators: ARNs
        ("ArnLike compares part by part", [c("ArnLike", ARN, "arn:aws:iam::*:role/app")], having(ARN, ROLE), ALLOW),
        ("a star that ends a part can take colons in ArnLike, too", [c("ArnLike", ARN, "arn:aws:*:role/app")], having(ARN, ROLE), UNKNOWN),
        ("and in ArnNotLike", [s(), c("ArnNotLike", ARN, "arn:aws:*:role/app", Effect="Deny")], having(ARN, ROLE), UNKNOWN),
        ("a star within a part does not", [c("ArnLike", ARN, "arn:aws:iam:*2:role/app:")], having(ARN, ROLE), DENY),
        ("in StringLike it does", [c("StringLike", ARN, "arn:aws:*:role/app")], having(ARN, ROLE), ALLOW),
        ("ArnEquals behaves as ArnLike", [c("ArnEquals", ARN, "arn:aws:iam::*:role/*")], having(ARN, ROLE), ALLOW),
        ("ArnNotEquals behaves as ArnNotLike", [c("ArnNotEquals", ARN, "arn:aws:iam::*:role/*")], having(ARN, ROLE), DENY),
    ],
    f"{IAM}/reference_policies_condition-single-vs-multi-valued-context-keys.html": [
        ("ForAllValues: every value of the request is listed", [c("ForAllValues:StringEquals", KEYS, ["a", "b", "c"])], having(KEYS, "a", "b"), ALLOW),
        ("one is not", [c("ForAllValues:StringEquals", KEYS, ["a", "b"])], having(KEYS, "a", "z"), DENY),
        ("ForAllValues is true without the key", [c("ForAllValues:StringEquals", KEYS, "a")], r(), ALLOW),
        ("and with an empty one", [c("ForAllValues:StringEquals", KEYS, "a")], having(KEYS), ALLOW),
        ("ForAllValues and Null false, as advised", [s(Condition={"ForAllValues:StringEquals": {KEYS: "a"}, "Null": {KEYS: "false"}})], r(), DENY),
        ("ForAnyValue: one value is enough", [c("ForAnyValue:StringEquals", KEYS, ["a", "b"])], having(KEYS, "z", "b"), ALLOW),
        ("none is", [c("ForAnyValue:StringEquals", KEYS, ["a", "b"])], having(KEYS, "y", "z"), DENY),
        ("ForAnyValue is false without the key", [c("ForAnyValue:StringEquals", KEYS, "a")], r(), DENY),
        ("with IfExists it is false as well", [c("ForAnyValue:StringEqualsIfExists", KEYS, "a")], r(), DENY),
        ("and with a negative operator", [c("ForAnyValue:StringNotEquals", KEYS, "a")], r(), DENY),
        ("or with both", [c("ForAnyValue:ArnNotLikeIfExists", ARN, ROLE)], r(), DENY),
        ("also where the key has no value", [c("ForAnyValue:StringNotEqualsIfExists", KEYS, "a")], having(KEYS), DENY),
        ("so that a deny does not apply", [s(), c("ForAnyValue:StringNotEqualsIfExists", "aws:SourceVpc", "vpc-1", Effect="Deny")], r(), ALLOW),
        ("for Bool, too", [s(), c("ForAnyValue:BoolIfExists", "aws:ViaAWSService", "false", Effect="Deny")], r(), ALLOW),
        ("ForAllValues with IfExists is true without the key", [c("ForAllValues:StringEqualsIfExists", KEYS, "a")], r(), ALLOW),
        ("and a set operator before Null is not documented", [c("ForAnyValue:Null", KEYS, "true")], r(), UNKNOWN),
        ("a deny by ForAnyValue takes one forbidden tag", [s(), c("ForAnyValue:StringEquals", KEYS, "forbidden", Effect="Deny")], having(KEYS, "a", "forbidden"), DENY),
        ("ForAnyValue:StringNotEquals: one that is not listed", [c("ForAnyValue:StringNotEquals", KEYS, "a")], having(KEYS, "a", "z"), ALLOW),
        ("ForAllValues:StringNotEquals: none is listed", [c("ForAllValues:StringNotEquals", KEYS, "a")], having(KEYS, "a", "z"), DENY),
        ("ForAllValues:StringLike", [c("ForAllValues:StringLike", KEYS, "team-*")], having(KEYS, "team-a", "team-b"), ALLOW),
        ("several values without a quantifier are not documented", [c("StringEquals", KEYS, "a")], having(KEYS, "a", "b"), UNKNOWN),
    ],
    f"{IAM}/reference_policies_variables.html": [
        ("a variable in a resource", [s(Resource=SECRET.replace("db-", "${aws:username}-"))], having("aws:username", "db"), ALLOW),
        ("with another value", [s(Resource=SECRET.replace("db-", "${aws:username}-"))], having("aws:username", "api"), DENY),
        ("a variable without value matches nothing", [s(Resource=SECRET.replace("db-", "${aws:username}-"))], r(), DENY),
        ("a default for a variable", [s(Resource=SECRET.replace("db-", "${aws:PrincipalTag/team, 'db'}-"))], r(), ALLOW),
        ("a default is for absent keys", [s(Resource=SECRET.replace("db-", "${aws:PrincipalTag/team, 'db'}-"))], having(PRESENT_TAG, "api"), DENY),
        ("a variable in a condition", [c("StringEquals", "secretsmanager:ResourceTag/team", "${aws:PrincipalTag/team}")], r(context={"secretsmanager:ResourceTag/team": "hr", PRESENT_TAG: "hr"}), ALLOW),
        ("that compares two keys", [c("StringEquals", "secretsmanager:ResourceTag/team", "${aws:PrincipalTag/team}")], r(context={"secretsmanager:ResourceTag/team": "hr", PRESENT_TAG: "it"}), DENY),
        ("a star in the value of a variable is text", [c("StringLike", PRESENT_TAG, "${aws:username}")], r(context={PRESENT_TAG: "hr", "aws:username": "*"}), DENY),
        ("an escaped star is text", [c("StringLike", PRESENT_TAG, "h${*}")], having(PRESENT_TAG, "hr"), DENY),
        ("and matches a star", [c("StringLike", PRESENT_TAG, "h${*}")], having(PRESENT_TAG, "h*"), ALLOW),
        ("an escaped question mark", [c("StringLike", PRESENT_TAG, "h${?}")], having(PRESENT_TAG, "h?"), ALLOW),
        ("an escaped dollar", [c("StringEquals", PRESENT_TAG, "${$}{a}")], having(PRESENT_TAG, "${a}"), ALLOW),
    ],
    OURS: [
        # What CloudTrail does not report
        ("an unknown key leaves an Allow open", [c("StringEquals", PRESENT_TAG, "hr")], r(complete=False), UNKNOWN),
        ("unless something known rules it out", [s(Condition={"StringEquals": {PRESENT_TAG: "hr", "aws:PrincipalAccount": OTHER}})], having("aws:PrincipalAccount", ACCOUNT, complete=False), DENY),
        ("or another statement allows it", [c("StringEquals", PRESENT_TAG, "hr"), s()], r(complete=False), ALLOW),
        ("an unknown key leaves a Deny open", [s(), c("StringEquals", PRESENT_TAG, "hr", Effect="Deny")], r(complete=False), UNKNOWN),
        ("which matters only if an Allow applies", [c("StringEquals", PRESENT_TAG, "hr", Effect="Deny")], r(complete=False), DENY),
        ("and not if another Deny does", [s(), deny(), c("StringEquals", PRESENT_TAG, "hr", Effect="Deny")], r(complete=False), DENY),
        ("a key known to be absent is known", [c("StringEquals", PRESENT_TAG, "hr")], r(complete=False, context={PRESENT_TAG: None}), DENY),
        ("an unknown resource may be the one", [s(Resource=SECRET)], resource(None), UNKNOWN),
        ("and surely is one of all", [s(Resource="*")], resource(None), ALLOW),
        ("a suffix that is not known may be this one", [s(Resource=SECRET)], resource(SOME + "??????"), UNKNOWN),
        ("and is surely like any", [s(Resource=SOME + "??????")], resource(SOME + "??????"), ALLOW),
        ("a star takes it too", [s(Resource=["arn:aws:s3:::x", SOME + "*"])], resource(SOME + "??????"), ALLOW),
        ("so does one for the service", [s(Resource="arn:aws:secretsmanager:*")], resource(SOME + "??????"), ALLOW),
        ("another name is another secret, whatever the suffix", [s(Resource=SECRET.replace("db", "api"))], resource(SOME + "??????"), DENY),
        ("a deny of one secret may be for this one", [s(), deny(Resource=SECRET)], resource(SOME + "??????"), UNKNOWN),
        ("a deny of all but one may be, too", [s(), deny(Resource=None, NotResource=SECRET)], resource(SOME + "??????"), UNKNOWN),
        ("a variable with a suffix that is not known", [s(Resource=SOME.replace("db", "${aws:username}") + "*")], having("aws:username", "db", resource=SOME + "??????"), UNKNOWN),
        ("one value that surely fails is enough, whatever else is unknown", [c("ForAllValues:StringNotEquals", KEYS, ["${aws:username}", "b"])], having(KEYS, "a", "b", complete=False), DENY),
        ("one value that surely passes, too", [c("ForAnyValue:StringEquals", KEYS, ["${aws:username}", "b"])], having(KEYS, "a", "b", complete=False), ALLOW),
        ("of a value that is known by a pattern, some patterns take all", [c("StringLike", VPC, "vpc-*")], having(VPC, Unnamed("vpc-*")), ALLOW),
        ("some take none", [c("StringLike", VPC, "vpce-*")], having(VPC, Unnamed("vpc-*")), DENY),
        ("and some take part", [c("StringLike", VPC, "vpc-0*")], having(VPC, Unnamed("vpc-*")), UNKNOWN),
        ("it is none that the policy spells out", [c("StringNotEquals", VPC, ["vpc-1", "vpc-*"])], having(VPC, Unnamed("vpc-*")), ALLOW),
        ("nor by an operator for patterns", [c("StringNotLike", VPC, ["vpc-1"])], having(VPC, Unnamed("vpc-*")), ALLOW),
        ("nor in another case", [c("StringNotEqualsIgnoreCase", VPC, ["VPC-1", "VPC-*"])], having(VPC, Unnamed("vpc-*")), ALLOW),
        ("but a variable may bring it", [c("StringNotEquals", VPC, "${aws:SourceVpc}")], having(VPC, Unnamed("vpc-*")), UNKNOWN),
        ("for patterns and any case, too", [c("StringNotLike", VPC, "${aws:sourcevpc}"), c("StringEqualsIgnoreCase", VPC, "${aws:SourceVpc}")], having(VPC, Unnamed("vpc-*")), UNKNOWN),
        ("and it may be the variable of another key", [c("StringEquals", PRESENT_TAG, "${aws:SourceVpc}")], r(context={PRESENT_TAG: "x", VPC: Unnamed("vpc-*")}), UNKNOWN),
        ("AWS reports the case of A to Z alone", [c("StringEqualsIgnoreCase", PRESENT_TAG, "K")], having(PRESENT_TAG, "\u212a"), UNKNOWN),
        ("other letters match themselves", [c("StringEqualsIgnoreCase", PRESENT_TAG, "MÜLLER")], having(PRESENT_TAG, "mÜller"), ALLOW),
        ("a NUL is a character as any other", [c("StringEqualsIgnoreCase", PRESENT_TAG, "a\0*")], having(PRESENT_TAG, "A\0*"), ALLOW),
        ("and hides no wildcard", [c("StringLike", PRESENT_TAG, "a\0*")], having(PRESENT_TAG, "a\0b"), ALLOW),
        ("and no other letter", [c("StringEqualsIgnoreCase", PRESENT_TAG, "MÜLLER")], having(PRESENT_TAG, "møller"), DENY),
        ("an unknown variable leaves the value open", [c("StringEquals", PRESENT_TAG, "${aws:username}")], having(PRESENT_TAG, "hr", complete=False), UNKNOWN),
        ("unless another value matches", [c("StringEquals", PRESENT_TAG, ["${aws:username}", "hr"])], having(PRESENT_TAG, "hr", complete=False), ALLOW),
    ],
}  # fmt: skip


def test_the_table_is_large_enough_and_says_each_thing_once():
    rows = [row for some in DECISIONS.values() for row in some]
    assert len({row[0] + json.dumps(row[1]) for row in rows}) == len(rows)
    documented = [len(some) for page, some in DECISIONS.items() if page.startswith(f"{AWS}/")]
    assert sum(documented) >= 100
    assert len(DECISIONS) == len(documented) + 1


@pytest.mark.parametrize(
    ("statements", "fields", "outcome"),
    [
        pytest.param(*row[1:], id=f"{page.rpartition('/')[2]}: {row[0]}")
        for page, some in DECISIONS.items()
        for row in some
    ],
)
def test_decision(statements: list[dict[str, Any]], fields: dict[str, Any], outcome: Outcome):
    decision = evaluate(policy(*statements), Request(**fields))
    assert decision.outcome is outcome
    assert bool(decision.unknown) == (outcome is UNKNOWN)


def test_what_takes_too_many_steps_is_unknown():
    stars = policy(s(), c("StringNotLike", PRESENT_TAG, "*a" * 8_000 + "b", Effect="Deny"))
    request = Request(**having(PRESENT_TAG, "a" * 8_000))
    assert evaluate(stars, request) == Decision(UNKNOWN, None, frozenset({TOO_LARGE}))
    few = Matcher(2_000)
    small = policy(s(Resource=SECRET))
    assert [evaluate(small, Request(**r()), few).outcome for _ in range(2)] == [ALLOW, ALLOW]
    assert few.left < 2_000
    assert evaluate(small, Request(**r()), Matcher(20)).unknown == {TOO_LARGE}


def test_2008_has_no_variables():
    statement = c("StringEquals", PRESENT_TAG, "${aws:username}")
    old = policy(statement, version="2008-10-17")
    same = Request(**r(context={PRESENT_TAG: "hr", "aws:username": "hr"}))
    literal = Request(**having(PRESENT_TAG, "${aws:username}"))
    assert evaluate(policy(statement), same).outcome is ALLOW
    assert evaluate(old, same).outcome is DENY
    assert evaluate(old, literal).outcome is ALLOW


@pytest.mark.parametrize(
    ("statements", "fields", "decision"),
    [
        ([s(Sid="Reads")], r(), Decision(ALLOW, "Reads")),
        ([s(), deny(Sid="Never")], r(), Decision(DENY, "Never")),
        ([s(Action="sts:*")], r(), Decision(DENY)),
        (
            [c("StringEquals", "aws:ResourceOrgID", "o-1"), s(Principal={"AWS": ROLE})],
            r(complete=False, principals=None),
            Decision(UNKNOWN, None, frozenset({"aws:resourceorgid", "principal"})),
        ),
        (
            [s(), c("Bool", "aws:SecureTransport", "false", Effect="Deny")],
            r(complete=False),
            Decision(UNKNOWN, None, frozenset({"aws:securetransport"})),
        ),
        (
            [s(Resource=SECRET)],
            resource(None),
            Decision(UNKNOWN, None, frozenset({"resource"})),
        ),
    ],
)
def test_what_decided_and_what_is_unknown_is_named(
    statements: list[dict[str, Any]], fields: dict[str, Any], decision: Decision
):
    assert evaluate(policy(*statements), Request(**fields)) == decision


def test_principals_of():
    assert principals_of(USER) == {f"AWS:{ACCOUNT}", f"AWS:{USER}"}
    assert principals_of(f"arn:aws:iam::{ACCOUNT}:root") == {f"AWS:{ACCOUNT}"}
    assert principals_of(SESSION) == {f"AWS:{ACCOUNT}", f"AWS:{SESSION}", f"AWS:{ROLE}"}


# The shipped policies

VALUES = Placeholders(
    account_id=ACCOUNT, region="eu-central-1", partition="aws", org_id="o-abcdefghij"
)
OWN = {"aws:PrincipalAccount": ACCOUNT, "aws:PrincipalOrgID": "o-abcdefghij", "aws:PrincipalIsAWSService": "false"}  # fmt: skip
OWN_SECRET = {"aws:ResourceAccount": ACCOUNT, "aws:ResourceOrgID": "o-abcdefghij"}
FOREIGN = {"aws:PrincipalAccount": OTHER, "aws:PrincipalOrgID": "o-zzzzzzzzzz", "aws:PrincipalIsAWSService": "false"}  # fmt: skip
FOREIGN_SECRET = {"aws:ResourceAccount": OTHER, "aws:ResourceOrgID": "o-zzzzzzzzzz"}
SERVICE = {"aws:PrincipalIsAWSService": "true"}
PERIMETERS = ("own-account", "own-organization")


def shipped(name: str, action_name: str, context: dict[str, str], **fields: Any) -> Outcome:
    request = Request(**r(action=f"secretsmanager:{action_name}", context=context, **fields))
    return evaluate(load(name, SHIPPED, VALUES).policy, request).outcome


@pytest.mark.parametrize("name", [*PERIMETERS, "one-account"])
@pytest.mark.parametrize(
    "action_name",
    ["DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"],
)
def test_rotation_works(name: str, action_name: str):
    assert shipped(name, action_name, OWN | OWN_SECRET) is ALLOW
    assert shipped(name, "GetRandomPassword", OWN, resource="*") is ALLOW


@pytest.mark.parametrize("name", PERIMETERS)
@pytest.mark.parametrize(
    ("context", "outcome"),
    [
        (OWN | OWN_SECRET, ALLOW),
        (OWN | FOREIGN_SECRET, DENY),
        (FOREIGN | OWN_SECRET, DENY),
        (FOREIGN | FOREIGN_SECRET, DENY),
        (OWN, DENY),
        (SERVICE | OWN_SECRET, ALLOW),
        (SERVICE | FOREIGN_SECRET, DENY),
        (SERVICE, DENY),
        ({}, DENY),
    ],
)
def test_the_perimeters(name: str, context: dict[str, str], outcome: Outcome):
    assert shipped(name, "GetSecretValue", context) is outcome


@pytest.mark.parametrize("name", PERIMETERS)
@pytest.mark.parametrize("action_name", ["GetRandomPassword", "ListSecrets", "BatchGetSecretValue"])
def test_actions_without_a_secret(name: str, action_name: str):
    assert shipped(name, action_name, OWN, resource="*") is ALLOW
    assert shipped(name, action_name, FOREIGN, resource="*") is DENY


def test_the_two_examples_of_the_documentation():
    assert shipped("one-account", "GetSecretValue", {}) is ALLOW
    foreign = principals_of(USER.replace(ACCOUNT, OTHER))
    assert shipped("one-account", "GetSecretValue", {}, principals=foreign) is DENY
    example = SECRET.replace(":db-", ":example-")
    assert shipped("one-secret", "GetSecretValue", {}, resource=example) is ALLOW
    assert shipped("one-secret", "GetSecretValue", {}, resource=SECRET) is DENY
    assert shipped("one-secret", "PutSecretValue", {}, resource=example) is DENY


# Meaning, differences and decisions agree

some_statements = st.lists(
    st.builds(
        lambda effect, principal, action_, resource_, condition: (
            {"Effect": effect} | principal | action_ | resource_ | condition
        ),
        st.sampled_from(["Allow", "Allow", "Deny"]),
        st.sampled_from(
            [
                {"Principal": "*"},
                {"Principal": {"AWS": ACCOUNT}},
                {"Principal": {"AWS": [ROLE, USER]}},
                {"NotPrincipal": {"AWS": [ACCOUNT, ROLE, SESSION]}},
            ]
        ),
        st.sampled_from(
            [
                {"Action": "*"},
                {"Action": ["secretsmanager:Get*", "secretsmanager:PutSecretValue"]},
                {"Action": "secretsmanager:?etSecretValue"},
                {"NotAction": ["secretsmanager:Put*"]},
            ]
        ),
        st.sampled_from(
            [
                {"Resource": "*"},
                {"Resource": [SECRET, "arn:aws:secretsmanager:*:*:secret:api-*"]},
                {"NotResource": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-*"},
            ]
        ),
        st.sampled_from(
            [
                {},
                {"Condition": {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}},
                {"Condition": {"StringEquals": {"aws:PrincipalAccount": [ACCOUNT, OTHER]}}},
                {"Condition": {"StringEqualsIfExists": {"aws:PrincipalAccount": ACCOUNT}}},
                {"Condition": {"StringNotEquals": {"aws:PrincipalAccount": [ACCOUNT, OTHER]}}},
                {"Condition": {"StringNotEquals": {"aws:PrincipalAccount": OTHER}}},
                {"Condition": {"StringLike": {PRESENT_TAG: ["fin*", "h?"]}}},
                {"Condition": {"StringLike": {PRESENT_TAG: "f*"}}},
                {"Condition": {"ForAllValues:StringLike": {KEYS: ["a", "b*"]}}},
                {"Condition": {"ForAnyValue:StringNotLike": {KEYS: ["a*"]}}},
                {
                    "Condition": {
                        "Null": {PRESENT_TAG: "true"},
                        "ArnLike": {ARN: "arn:aws:iam::*:*"},
                    }
                },
            ]
        ),
    ),
    min_size=1,
    max_size=3,
)
some_requests = st.builds(
    lambda action_, resource_, principals, tag, keys, account: Request(
        action=action_,
        resource=resource_,
        principals=principals,
        context={PRESENT_TAG: tag, KEYS: keys, "aws:PrincipalAccount": account, ARN: ROLE},
        complete=True,
    ),
    st.sampled_from([GET, "secretsmanager:PutSecretValue", "sts:GetCallerIdentity"]),
    st.sampled_from([SECRET, SECRET.replace("db-", "api-"), "*"]),
    st.sampled_from(
        [principals_of(SESSION), principals_of(USER.replace(ACCOUNT, OTHER)), frozenset[str]()]
    ),
    st.sampled_from([None, "finance", "hr", "x"]),
    st.sampled_from([None, (), ("a",), ("a", "b1"), ("z",)]),
    st.sampled_from([None, ACCOUNT, OTHER]),
)


@given(some_statements, some_statements, some_requests)
def test_a_request_that_is_decided_otherwise_is_seen_with_its_risk(
    one: list[dict[str, Any]], other: list[dict[str, Any]], request: Request
):
    attached, approved = policy(*one), policy(*other)
    now, then = evaluate(attached, request).outcome, evaluate(approved, request).outcome
    risks = {found.risk for found in differences(attached, approved)}
    if (then, now) == (DENY, ALLOW):
        assert Risk.WIDER in risks
    if (then, now) == (ALLOW, DENY):
        # Wider where one changed condition does both: the worse is reported.
        assert risks & {Risk.NARROWER, Risk.WIDER}


@given(some_statements, some_requests, st.data())
def test_knowing_less_never_reverses_a_decision(
    statements: list[dict[str, Any]], request: Request, data: st.DataObject
):
    whole = evaluate(policy(*statements), request).outcome
    known = data.draw(st.sets(st.sampled_from(sorted(request.context))))
    less = Request(
        action=request.action,
        resource=data.draw(st.sampled_from([request.resource, None])),
        principals=data.draw(st.sampled_from([request.principals, None])),
        context={key: request.context[key] for key in sorted(known)},
    )
    assert evaluate(policy(*statements), less).outcome in (whole, UNKNOWN)
