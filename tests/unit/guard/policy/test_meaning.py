"""Two policy documents are equal when IAM decides alike by them: pairs, each with the reason."""

# ruff: noqa: E501  (a pair is a row: it reads better long than broken)

import json
from typing import Any

import pytest

from guard.policy import Policy, means, parse

ACCOUNT = "123456789012"
OTHER = "210987654321"
SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-a1b2c3"
SECOND = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:api-d4e5f6"
ROLE = "arn:aws:iam::123456789012:role/app"
GET = "secretsmanager:GetSecretValue"
DESCRIBE = "secretsmanager:DescribeSecret"
PUT = "secretsmanager:PutSecretValue"


def s(**elements: Any) -> dict[str, Any]:
    """A statement; None takes an element away."""
    base = {"Effect": "Allow", "Principal": "*", "Action": GET, "Resource": SECRET}
    return {key: value for key, value in (base | elements).items() if value is not None}


def c(operator: str, values: Any, key: str = "aws:PrincipalAccount") -> dict[str, Any]:
    """A statement with one condition."""
    return s(Condition={operator: {key: values}})


def d(*statements: dict[str, Any], version: str | None = "2012-10-17", **elements: Any) -> str:
    """A document."""
    head = {} if version is None else {"Version": version}
    return json.dumps({**head, "Statement": list(statements), **elements})


def twelve(statement: dict[str, Any]) -> str:
    return d(statement, version="2012-10-17")


def eight(statement: dict[str, Any]) -> str:
    return d(statement, version="2008-10-17")


def no_version(statement: dict[str, Any]) -> str:
    return d(statement, version=None)


def raw(statement: str) -> str:
    """A document around a statement in JSON text, for what `json.dumps` would not write."""
    return f'{{"Version":"2012-10-17","Statement":[{statement}]}}'


def head(text: str) -> str:
    return f'{{"Effect":"Allow","Principal":"*","Action":"{GET}","Resource":"{SECRET}",{text}}}'


NUMERIC = ("NumericLessThan", "secretsmanager:RecoveryWindowInDays")
TAG = "aws:PrincipalTag/team"

EQUAL = [
    # The text of the document
    ("white space is nothing", d(s()), json.dumps(json.loads(d(s())), indent=4)),
    ("the order of a document's elements is nothing", d(s()), json.dumps({"Statement": [s()], "Version": "2012-10-17"})),
    ("the order of a statement's elements is nothing", d(s()), d(dict(reversed(s().items())))),
    ("JSON escapes are nothing", d(s()), d(s()).replace("secretsmanager:G", "\\u0073ecretsmanager:G")),
    ("an escaped slash is a slash", d(s(Principal={"AWS": ROLE})), d(s(Principal={"AWS": ROLE})).replace("/", "\\/")),
    ("line ends of Windows are white space", d(s()), json.dumps(json.loads(d(s())), indent=1).replace("\n", "\r\n")),
    # Statements
    ("one statement may stand without its list", d(s()), json.dumps({"Version": "2012-10-17", "Statement": s()})),
    ("the order of statements is nothing", d(s(), s(Effect="Deny", Action=PUT)), d(s(Effect="Deny", Action=PUT), s())),
    ("the order of three statements is nothing", d(s(), s(Action=PUT), s(Resource="*")), d(s(Resource="*"), s(), s(Action=PUT))),
    ("a statement given twice is one", d(s(), s()), d(s())),
    ("a statement given twice under two Sids is one", d(s(Sid="A"), s(Sid="B")), d(s())),
    ("a statement of two actions is two of one", d(s(Action=[GET, PUT])), d(s(), s(Action=PUT))),
    ("a statement of two resources is two of one", d(s(Resource=[SECRET, SECOND])), d(s(), s(Resource=SECOND))),
    ("a statement of two principals is two of one", d(s(Principal={"AWS": [ACCOUNT, OTHER]})), d(s(Principal={"AWS": ACCOUNT}), s(Principal={"AWS": OTHER}))),
    ("two types of principals come apart too", d(s(Principal={"AWS": ACCOUNT, "Service": "lambda.amazonaws.com"})), d(s(Principal={"AWS": ACCOUNT}), s(Principal={"Service": "lambda.amazonaws.com"}))),
    ("a part that two statements share counts once", d(s(Action=[GET, PUT]), s(Action=[PUT, DESCRIBE])), d(s(Action=[GET, PUT, DESCRIBE]))),
    ("a Deny comes apart as an Allow does", d(s(Effect="Deny", Action=[GET, PUT])), d(s(Effect="Deny"), s(Effect="Deny", Action=PUT))),
    ("four rules grouped by action or by resource", d(s(Action=[GET, PUT]), s(Action=[GET, PUT], Resource=SECOND)), d(s(Resource=[SECRET, SECOND]), s(Action=PUT, Resource=[SECRET, SECOND]))),
    # Labels
    ("an absent Sid and an empty one", d(s()), d(s(Sid=""))),
    ("a Sid is a label for people", d(s(Sid="One")), d(s(Sid="Two"))),
    ("a Sid or none", d(s(Sid="One")), d(s())),
    ("an Id is a label for people", d(s(), Id="endpoint"), d(s())),
    ("an empty Id", d(s(), Id=""), d(s())),
    ("two Ids", d(s(), Id="one"), d(s(), Id="two")),
    # Version, where it changes nothing
    ("no Version is 2008-10-17", no_version(s()), eight(s())),
    ("without variables 2008 and 2012 read alike", eight(s()), twelve(s())),
    ("without variables no Version and 2012 read alike", no_version(s()), twelve(s())),
    ("wildcards are the same in both languages", eight(s(Resource=SECRET[:-6] + "??????")), twelve(s(Resource=SECRET[:-6] + "??????"))),
    ("a dollar alone is no variable", eight(c("StringEquals", "a$b", TAG)), twelve(c("StringEquals", "a$b", TAG))),
    ("a brace alone is no variable", eight(c("StringEquals", "{a}", TAG)), twelve(c("StringEquals", "{a}", TAG))),
    ("an unclosed variable is text in both", eight(c("StringEquals", "${a", TAG)), twelve(c("StringEquals", "${a", TAG))),
    ("no Version and 2008 read a variable alike", no_version(c("StringEquals", "${aws:username}", TAG)), eight(c("StringEquals", "${aws:username}", TAG))),
    ("what 2008 reads as text, 2012 writes with an escape", eight(c("StringEquals", "${aws:username}", TAG)), twelve(c("StringEquals", "${$}{aws:username}", TAG))),
    ("the name of a variable has no case", twelve(c("StringEquals", "${aws:username}", TAG)), twelve(c("StringEquals", "${AWS:UserName}", TAG))),
    ("nor has it beside a default", twelve(c("StringEquals", "${aws:PrincipalTag/team, 'All'}", TAG)), twelve(c("StringEquals", "${AWS:principaltag/TEAM, 'All'}", TAG))),
    # Principals
    ("everyone, short and long", d(s(Principal="*")), d(s(Principal={"AWS": "*"}))),
    ("everyone, in a list", d(s(Principal="*")), d(s(Principal={"AWS": ["*"]}))),
    ("not everyone, short and long", d(s(Effect="Deny", Principal=None, NotPrincipal="*")), d(s(Effect="Deny", Principal=None, NotPrincipal={"AWS": "*"}))),
    ("an account is its root ARN", d(s(Principal={"AWS": ACCOUNT})), d(s(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}))),
    ("an account is its root ARN in China", d(s(Principal={"AWS": ACCOUNT})), d(s(Principal={"AWS": f"arn:aws-cn:iam::{ACCOUNT}:root"}))),
    ("an account is its root ARN in GovCloud", d(s(Principal={"AWS": ACCOUNT})), d(s(Principal={"AWS": f"arn:aws-us-gov:iam::{ACCOUNT}:root"}))),
    ("a root ARN in a list", d(s(Principal={"AWS": [f"arn:aws:iam::{ACCOUNT}:root"]})), d(s(Principal={"AWS": ACCOUNT}))),
    ("account and root ARN beside each other are one", d(s(Principal={"AWS": [ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root"]})), d(s(Principal={"AWS": ACCOUNT}))),
    ("an account in NotPrincipal is its root ARN", d(s(Effect="Deny", Principal=None, NotPrincipal={"AWS": ACCOUNT})), d(s(Effect="Deny", Principal=None, NotPrincipal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}))),
    ("the order of principals is nothing", d(s(Principal={"AWS": [ACCOUNT, OTHER]})), d(s(Principal={"AWS": [OTHER, ACCOUNT]}))),
    ("a principal given twice is one", d(s(Principal={"AWS": [ROLE, ROLE]})), d(s(Principal={"AWS": ROLE}))),
    ("one role, string or list", d(s(Principal={"AWS": ROLE})), d(s(Principal={"AWS": [ROLE]}))),
    ("one service, string or list", d(s(Principal={"Service": "lambda.amazonaws.com"})), d(s(Principal={"Service": ["lambda.amazonaws.com"]}))),
    ("the order of principal types is nothing", d(s(Principal={"AWS": ACCOUNT, "Federated": "accounts.google.com"})), d(s(Principal={"Federated": "accounts.google.com", "AWS": ACCOUNT}))),
    # Actions
    ("one action, string or list", d(s(Action=GET)), d(s(Action=[GET]))),
    ("the order of actions is nothing", d(s(Action=[GET, PUT])), d(s(Action=[PUT, GET]))),
    ("an action given twice is one", d(s(Action=[GET, GET])), d(s(Action=GET))),
    ("an action has no case", d(s(Action=GET)), d(s(Action=GET.lower()))),
    ("an action's service has no case", d(s(Action=GET)), d(s(Action=GET.replace("secrets", "Secrets")))),
    ("an action given twice in two cases is one", d(s(Action=[GET, GET.upper()])), d(s(Action=GET))),
    ("NotAction, string or list", d(s(Action=None, NotAction=GET)), d(s(Action=None, NotAction=[GET]))),
    ("NotAction has no case", d(s(Action=None, NotAction=GET)), d(s(Action=None, NotAction=GET.upper()))),
    ("the order in NotAction is nothing", d(s(Action=None, NotAction=[GET, PUT])), d(s(Action=None, NotAction=[PUT, GET]))),
    ("two stars match what one does", d(s(Action="secretsmanager:Get**")), d(s(Action="secretsmanager:Get*"))),
    ("*? and ?* both ask for one character or more", d(s(Action="secretsmanager:Get*?")), d(s(Action="secretsmanager:Get?*"))),
    ("*:* is every action", d(s(Action="*:*")), d(s(Action="*"))),
    ("every action, string or list", d(s(Action="*")), d(s(Action=["*"]))),
    ("a pattern of actions has no case", d(s(Action="secretsmanager:Get*")), d(s(Action="secretsmanager:get*"))),
    # Resources
    ("one resource, string or list", d(s(Resource=SECRET)), d(s(Resource=[SECRET]))),
    ("every resource, string or list", d(s(Resource="*")), d(s(Resource=["*"]))),
    ("the order of resources is nothing", d(s(Resource=[SECRET, SECOND])), d(s(Resource=[SECOND, SECRET]))),
    ("a resource given twice is one", d(s(Resource=[SECRET, SECRET])), d(s(Resource=SECRET))),
    ("NotResource, string or list", d(s(Resource=None, NotResource=SECRET)), d(s(Resource=None, NotResource=[SECRET]))),
    ("the order in NotResource is nothing", d(s(Resource=None, NotResource=[SECRET, SECOND])), d(s(Resource=None, NotResource=[SECOND, SECRET]))),
    ("two stars in a resource are one", d(s(Resource=SECRET + "**")), d(s(Resource=SECRET + "*"))),
    # Conditions: block, operators, keys
    ("an empty block asks for nothing", d(s(Condition={})), d(s())),
    ("an operator without keys asks for nothing", d(s(Condition={"StringEquals": {}})), d(s())),
    ("one value, string or list", d(c("StringEquals", ACCOUNT)), d(c("StringEquals", [ACCOUNT]))),
    ("the order of values is nothing", d(c("StringEquals", [ACCOUNT, OTHER])), d(c("StringEquals", [OTHER, ACCOUNT]))),
    ("a value given twice is one", d(c("StringEquals", [ACCOUNT, ACCOUNT])), d(c("StringEquals", ACCOUNT))),
    ("the order of values of a negative operator", d(c("StringNotEquals", [ACCOUNT, OTHER])), d(c("StringNotEquals", [OTHER, ACCOUNT]))),
    ("an operator has no case", d(c("StringEquals", ACCOUNT)), d(c("stringequals", ACCOUNT))),
    ("an operator in capitals", d(c("StringNotLike", "a*", TAG)), d(c("STRINGNOTLIKE", "a*", TAG))),
    ("IfExists has no case", d(c("StringEqualsIfExists", ACCOUNT)), d(c("StringEqualsifexists", ACCOUNT))),
    ("a quantifier has no case", d(c("ForAllValues:StringEquals", "a", "aws:TagKeys")), d(c("forallvalues:StringEquals", "a", "aws:TagKeys"))),
    ("the other quantifier has no case", d(c("ForAnyValue:StringLike", "a*", "aws:TagKeys")), d(c("foranyvalue:stringlike", "a*", "aws:TagKeys"))),
    ("a key has no case", d(c("StringEquals", ACCOUNT)), d(c("StringEquals", ACCOUNT, "AWS:principalaccount"))),
    ("a key of the service has no case", d(c("StringEquals", "a", "secretsmanager:ResourceTag/team")), d(c("StringEquals", "a", "SecretsManager:resourcetag/TEAM"))),
    ("the order of operators is nothing", d(s(Condition={"Bool": {"aws:SecureTransport": "true"}, "StringEquals": {TAG: "a"}})), d(s(Condition={"StringEquals": {TAG: "a"}, "Bool": {"aws:SecureTransport": "true"}}))),
    ("the order of keys is nothing", d(s(Condition={"StringEquals": {"aws:PrincipalAccount": ACCOUNT, "aws:ResourceAccount": ACCOUNT}})), d(s(Condition={"StringEquals": {"aws:ResourceAccount": ACCOUNT, "aws:PrincipalAccount": ACCOUNT}}))),
    ("one operator in two cases is one", d(s(Condition={"StringEquals": {TAG: "a"}, "stringequals": {"aws:PrincipalAccount": ACCOUNT}})), d(s(Condition={"StringEquals": {TAG: "a", "aws:PrincipalAccount": ACCOUNT}}))),
    ("ArnEquals and ArnLike behave identically", d(c("ArnEquals", ROLE, "aws:PrincipalArn")), d(c("ArnLike", ROLE, "aws:PrincipalArn"))),
    ("ArnNotEquals and ArnNotLike behave identically", d(c("ArnNotEquals", ROLE, "aws:PrincipalArn")), d(c("ArnNotLike", ROLE, "aws:PrincipalArn"))),
    ("ArnEquals and ArnLike, with IfExists", d(c("ArnEqualsIfExists", ROLE, "aws:PrincipalArn")), d(c("ArnLikeIfExists", ROLE, "aws:PrincipalArn"))),
    # How the values of conditions are written
    ('true and "true"', d(c("Bool", True, "aws:SecureTransport")), d(c("Bool", "true", "aws:SecureTransport"))),
    ('false and "false"', d(c("Bool", False, "aws:SecureTransport")), d(c("Bool", "false", "aws:SecureTransport"))),
    ("true in a list", d(c("Bool", [True], "aws:SecureTransport")), d(c("Bool", "true", "aws:SecureTransport"))),
    ("true for Null", d(c("Null", True)), d(c("Null", "true"))),
    ("Bool in any case", d(c("Bool", "true", "aws:SecureTransport")), d(c("Bool", "True", "aws:SecureTransport"))),
    ("false in any case", d(c("Bool", False, "aws:SecureTransport")), d(c("Bool", "FALSE", "aws:SecureTransport"))),
    ("BoolIfExists in any case", d(c("BoolIfExists", "true", "aws:SecureTransport")), d(c("BoolIfExists", "True", "aws:SecureTransport"))),
    ("ForAllValues:Bool in any case", d(c("ForAllValues:Bool", ["true", "false"], "a:b")), d(c("ForAllValues:Bool", ["True", "False"], "a:b"))),
    ("ForAnyValue:BoolIfExists in any case", d(c("ForAnyValue:BoolIfExists", "true", "a:b")), d(c("ForAnyValue:BoolIfExists", "tRUE", "a:b"))),
    ("one Bool written twice", d(c("Bool", ["true", "True"], "a:b")), d(c("Bool", "true", "a:b"))),
    ("Null in any case", d(c("Null", "true")), d(c("Null", "True"))),
    ("a boolean for a string operator", d(c("StringEquals", True, TAG)), d(c("StringEquals", "true", TAG))),
    ('7 and "7"', d(c(NUMERIC[0], 7, NUMERIC[1])), d(c(NUMERIC[0], "7", NUMERIC[1]))),
    ("7 and 7.0", raw(head('"Condition":{"NumericEquals":{"a:b":7}}')), raw(head('"Condition":{"NumericEquals":{"a:b":7.0}}'))),
    ('7 and "7.00"', d(c("NumericEquals", 7, "a:b")), d(c("NumericEquals", "7.00", "a:b"))),
    ("700 and 7e2", d(c("NumericEquals", "700", "a:b")), raw(head('"Condition":{"NumericEquals":{"a:b":7e2}}'))),
    ("0 and -0", d(c("NumericEquals", "0", "a:b")), d(c("NumericEquals", "-0", "a:b"))),
    ("numbers in a list", d(c("NumericEquals", [1, "2"], "a:b")), d(c("NumericEquals", ["2.0", 1], "a:b"))),
    ("an account id as number", d(c("StringEquals", int(ACCOUNT))), d(c("StringEquals", ACCOUNT))),
    ("a date in Z and in +00:00", d(c("DateLessThan", "2030-01-01T00:00:00Z", "aws:CurrentTime")), d(c("DateLessThan", "2030-01-01T00:00:00+00:00", "aws:CurrentTime"))),
    ("a date in two time zones", d(c("DateLessThan", "2030-01-01T00:00:00Z", "aws:CurrentTime")), d(c("DateLessThan", "2030-01-01T02:00:00+02:00", "aws:CurrentTime"))),
    ("a date with and without milliseconds", d(c("DateLessThan", "2030-01-01T00:00:00Z", "aws:CurrentTime")), d(c("DateLessThan", "2030-01-01T00:00:00.000Z", "aws:CurrentTime"))),
    ("a date in epoch seconds", d(c("DateLessThan", "2030-01-01T00:00:00Z", "aws:CurrentTime")), d(c("DateLessThan", "1893456000", "aws:CurrentTime"))),
    ("epoch seconds, number or string", d(c("DateLessThan", 1893456000, "aws:EpochTime")), d(c("DateLessThan", "1893456000", "aws:EpochTime"))),
    ("an address is a network of one", d(c("IpAddress", "203.0.113.5", "aws:SourceIp")), d(c("IpAddress", "203.0.113.5/32", "aws:SourceIp"))),
    ("an IPv6 address is a network of one", d(c("IpAddress", "2001:db8::1", "aws:SourceIp")), d(c("IpAddress", "2001:db8::1/128", "aws:SourceIp"))),
    ("an IPv6 network short and long", d(c("NotIpAddress", "2001:db8::/32", "aws:SourceIp")), d(c("NotIpAddress", "2001:0DB8:0:0:0:0:0:0/32", "aws:SourceIp"))),
    ("bits beyond the prefix are not compared", d(c("IpAddress", "203.0.113.5/24", "aws:VpcSourceIp")), d(c("IpAddress", "203.0.113.0/24", "aws:VpcSourceIp"))),
    ("IgnoreCase ignores case", d(c("StringEqualsIgnoreCase", "Finance", TAG)), d(c("StringEqualsIgnoreCase", "fINANCE", TAG))),
    ("NotEqualsIgnoreCase ignores case", d(c("StringNotEqualsIgnoreCase", "Finance", TAG)), d(c("StringNotEqualsIgnoreCase", "finance", TAG))),
    ("two stars in StringLike are one", d(c("StringLike", "finance**", TAG)), d(c("StringLike", "finance*", TAG))),
    ("two stars in ArnLike are one", d(c("ArnLike", f"{ROLE}**", "aws:PrincipalArn")), d(c("ArnLike", f"{ROLE}*", "aws:PrincipalArn"))),
    # What AWS has been seen to hand back
    ("the default policy with a Version", json.dumps({"Statement": [s(Action="*", Resource="*")]}), twelve(s(Action="*", Resource="*"))),
    ("the default policy, sorted and spaced", '{\n  "Statement": [\n    {\n      "Action": "*", \n      "Effect": "Allow", \n      "Principal": "*", \n      "Resource": "*"\n    }\n  ]\n}', no_version(s(Action="*", Resource="*"))),
]  # fmt: skip

DIFFERENT = [
    # Statements
    ("one statement more", d(s()), d(s(), s(Action=PUT))),
    ("one statement less, of two", d(s(), s(Effect="Deny", Action=PUT)), d(s())),
    ("a second statement for another secret", d(s()), d(s(), s(Resource=SECOND))),
    ("actions and resources crossed otherwise", d(s(), s(Action=PUT, Resource=SECOND)), d(s(Action=PUT), s(Resource=SECOND))),
    ("a product is more than its diagonal", d(s(Action=[GET, PUT], Resource=[SECRET, SECOND])), d(s(), s(Action=PUT, Resource=SECOND))),
    ("Allow and Deny", d(s()), d(s(Effect="Deny"))),
    ("an Allow with its Deny, and without", d(s(), s(Effect="Deny")), d(s())),
    ("the same Deny for another action", d(s(), s(Effect="Deny", Action=PUT)), d(s(), s(Effect="Deny", Action=DESCRIBE))),
    ("conditions of two statements joined in one", d(c("StringEquals", ACCOUNT), c("Bool", "true", "aws:SecureTransport")), d(s(Condition={"StringEquals": {"aws:PrincipalAccount": ACCOUNT}, "Bool": {"aws:SecureTransport": "true"}}))),
    ("conditions changed places between statements", d(s(Action=GET, Condition={"Bool": {"aws:SecureTransport": "true"}}), s(Action=PUT)), d(s(Action=GET), s(Action=PUT, Condition={"Bool": {"aws:SecureTransport": "true"}}))),
    ("a statement that another one covers still counts", d(s(Action="*"), s()), d(s(Action="*"))),
    ("NotAction does not come apart", d(s(Action=None, NotAction=[GET, PUT])), d(s(Action=None, NotAction=GET), s(Action=None, NotAction=PUT))),
    ("NotResource does not come apart", d(s(Resource=None, NotResource=[SECRET, SECOND])), d(s(Resource=None, NotResource=SECRET), s(Resource=None, NotResource=SECOND))),
    ("NotPrincipal does not come apart", d(s(Effect="Deny", Principal=None, NotPrincipal={"AWS": [ACCOUNT, OTHER]})), d(s(Effect="Deny", Principal=None, NotPrincipal={"AWS": ACCOUNT}), s(Effect="Deny", Principal=None, NotPrincipal={"AWS": OTHER}))),
    # Version, where it changes something
    ("a variable in a value, 2008 and 2012", eight(c("StringEquals", "${aws:username}", TAG)), twelve(c("StringEquals", "${aws:username}", TAG))),
    ("a variable in a value, no Version and 2012", no_version(c("StringEquals", "${aws:username}", TAG)), twelve(c("StringEquals", "${aws:username}", TAG))),
    ("a variable in a resource, 2008 and 2012", eight(s(Resource=SECRET + "${aws:username}")), twelve(s(Resource=SECRET + "${aws:username}"))),
    ("a variable in NotResource, 2008 and 2012", eight(s(Resource=None, NotResource=SECRET + "${aws:username}")), twelve(s(Resource=None, NotResource=SECRET + "${aws:username}"))),
    ("an escaped star, 2008 and 2012", eight(c("StringLike", "finance${*}", TAG)), twelve(c("StringLike", "finance${*}", TAG))),
    ("an escaped question mark, 2008 and 2012", eight(s(Resource=SECRET + "${?}")), twelve(s(Resource=SECRET + "${?}"))),
    ("an escaped dollar, 2008 and 2012", eight(c("StringEquals", "a${$}", TAG)), twelve(c("StringEquals", "a${$}", TAG))),
    ("a variable of one statement of two", d(s(), c("StringEquals", "${aws:username}", TAG), version="2008-10-17"), d(s(), c("StringEquals", "${aws:username}", TAG))),
    ("two variables", twelve(c("StringEquals", "${aws:username}", TAG)), twelve(c("StringEquals", "${aws:userid}", TAG))),
    ("a variable's default has case", twelve(c("StringEquals", "${aws:PrincipalTag/team, 'All'}", TAG)), twelve(c("StringEquals", "${aws:PrincipalTag/team, 'all'}", TAG))),
    ("a variable with and without a default", twelve(c("StringEquals", "${aws:PrincipalTag/team, 'All'}", TAG)), twelve(c("StringEquals", "${aws:PrincipalTag/team}", TAG))),
    ("a star and an escaped star", twelve(c("StringLike", "finance*", TAG)), twelve(c("StringLike", "finance${*}", TAG))),
    # Principals
    ("everyone and one account", d(s()), d(s(Principal={"AWS": ACCOUNT}))),
    ("everyone and one role", d(s()), d(s(Principal={"AWS": ROLE}))),
    ("one account and another", d(s(Principal={"AWS": ACCOUNT})), d(s(Principal={"AWS": OTHER}))),
    ("root ARNs of two accounts", d(s(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})), d(s(Principal={"AWS": f"arn:aws:iam::{OTHER}:root"}))),
    ("one principal more", d(s(Principal={"AWS": ACCOUNT})), d(s(Principal={"AWS": [ACCOUNT, OTHER]}))),
    ("everyone beside an account still counts", d(s(Principal={"AWS": ACCOUNT})), d(s(Principal={"AWS": [ACCOUNT, "*"]}))),
    ("Principal and NotPrincipal", d(s(Principal={"AWS": ACCOUNT})), d(s(Principal=None, NotPrincipal={"AWS": ACCOUNT}))),
    ("an account and a role in it", d(s(Principal={"AWS": ACCOUNT})), d(s(Principal={"AWS": ROLE}))),
    ("two roles", d(s(Principal={"AWS": ROLE})), d(s(Principal={"AWS": ROLE + "2"}))),
    ("the name of a role has case", d(s(Principal={"AWS": ROLE})), d(s(Principal={"AWS": ROLE.replace("app", "App")}))),
    ("a role and a user of one name", d(s(Principal={"AWS": ROLE})), d(s(Principal={"AWS": ROLE.replace("role", "user")}))),
    ("a role and its session", d(s(Principal={"AWS": ROLE})), d(s(Principal={"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/app/i-1"}))),
    ("a role in two partitions", d(s(Principal={"AWS": ROLE})), d(s(Principal={"AWS": ROLE.replace("arn:aws:", "arn:aws-cn:")}))),
    ("a role and the id AWS leaves of a deleted one", d(s(Principal={"AWS": ROLE})), d(s(Principal={"AWS": "AROAIOSFODNN7EXAMPLE1"}))),
    ("a user and the id AWS leaves of a deleted one", d(s(Principal={"AWS": ROLE.replace("role", "user")})), d(s(Principal={"AWS": "AIDAIOSFODNN7EXAMPLE1"}))),
    ("an account and a service", d(s(Principal={"AWS": ACCOUNT})), d(s(Principal={"Service": "lambda.amazonaws.com"}))),
    ("two services", d(s(Principal={"Service": "lambda.amazonaws.com"})), d(s(Principal={"Service": "ecs.amazonaws.com"}))),
    ("everyone of AWS and of services", d(s(Principal={"AWS": "*"})), d(s(Principal={"Service": "*"}))),
    ("everyone of AWS and federated", d(s(Principal={"AWS": "*"})), d(s(Principal={"Federated": "*"}))),
    ("a service more", d(s(Principal={"AWS": ACCOUNT})), d(s(Principal={"AWS": ACCOUNT, "Service": "lambda.amazonaws.com"}))),
    ("a root ARN is an account only among AWS principals", d(s(Principal={"Federated": f"arn:aws:iam::{ACCOUNT}:root"})), d(s(Principal={"Federated": ACCOUNT}))),
    ("an account in a pattern that only resembles root", d(s(Principal={"AWS": ACCOUNT})), d(s(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root2"}))),
    ("an exception more", d(s(Effect="Deny", Principal=None, NotPrincipal={"AWS": ACCOUNT})), d(s(Effect="Deny", Principal=None, NotPrincipal={"AWS": [ACCOUNT, OTHER]}))),
    # Actions
    ("two actions", d(s()), d(s(Action=PUT))),
    ("one action more", d(s()), d(s(Action=[GET, PUT]))),
    ("one action less", d(s(Action=[GET, PUT, DESCRIBE])), d(s(Action=[GET, PUT]))),
    ("an action and a pattern", d(s()), d(s(Action="secretsmanager:Get*"))),
    ("every action of the service and every action", d(s(Action="secretsmanager:*")), d(s(Action="*"))),
    ("Action and NotAction", d(s()), d(s(Action=None, NotAction=GET))),
    ("one exception more", d(s(Action=None, NotAction=GET)), d(s(Action=None, NotAction=[GET, PUT]))),
    ("the actions of two services", d(s(Action="secretsmanager:*")), d(s(Action="ssm:*"))),
    ("one character and many", d(s(Action="secretsmanager:Get?")), d(s(Action="secretsmanager:Get*"))),
    ("one character and two", d(s(Action="secretsmanager:Get?")), d(s(Action="secretsmanager:Get??"))),
    ("an action that a pattern beside it covers", d(s(Action="secretsmanager:*")), d(s(Action=["secretsmanager:*", GET]))),
    ("BatchGetSecretValue is not GetSecretValue", d(s()), d(s(Action="secretsmanager:BatchGetSecretValue"))),
    # Resources
    ("two secrets", d(s()), d(s(Resource=SECOND))),
    ("a secret and every secret", d(s()), d(s(Resource="*"))),
    ("one resource more", d(s()), d(s(Resource=[SECRET, SECOND]))),
    ("the name of a secret has case", d(s()), d(s(Resource=SECRET.replace(":db-", ":DB-")))),
    ("two Regions", d(s()), d(s(Resource=SECRET.replace("eu-central-1", "eu-west-1")))),
    ("two accounts", d(s()), d(s(Resource=SECRET.replace(ACCOUNT, OTHER)))),
    ("two partitions", d(s()), d(s(Resource=SECRET.replace("arn:aws:", "arn:aws-cn:")))),
    ("a suffix and any suffix", d(s()), d(s(Resource=SECRET[:-6] + "??????"))),
    ("six characters and any number", d(s(Resource=SECRET[:-6] + "??????")), d(s(Resource=SECRET[:-6] + "*"))),
    ("Resource and NotResource", d(s()), d(s(Resource=None, NotResource=SECRET))),
    ("everything and every ARN", d(s(Resource="*")), d(s(Resource="arn:*"))),
    ("every secret, by ARN and by star", d(s(Resource="*")), d(s(Resource="arn:aws:secretsmanager:*:*:secret:*"))),
    # Conditions
    ("a condition and none", d(c("StringEquals", ACCOUNT)), d(s())),
    ("two operators", d(c("StringEquals", ACCOUNT)), d(c("StringNotEquals", ACCOUNT))),
    ("StringEquals and StringLike", d(c("StringEquals", "finance*", TAG)), d(c("StringLike", "finance*", TAG))),
    ("StringEquals and StringEqualsIgnoreCase", d(c("StringEquals", "finance", TAG)), d(c("StringEqualsIgnoreCase", "finance", TAG))),
    ("StringLike and ArnLike", d(c("StringLike", ROLE, "aws:PrincipalArn")), d(c("ArnLike", ROLE, "aws:PrincipalArn"))),
    ("ArnLike and ArnNotLike", d(c("ArnLike", ROLE, "aws:PrincipalArn")), d(c("ArnNotLike", ROLE, "aws:PrincipalArn"))),
    ("with and without IfExists", d(c("StringEquals", ACCOUNT)), d(c("StringEqualsIfExists", ACCOUNT))),
    ("with and without ForAllValues", d(c("StringEquals", "a", "aws:TagKeys")), d(c("ForAllValues:StringEquals", "a", "aws:TagKeys"))),
    ("with and without ForAnyValue", d(c("StringEquals", "a", "aws:TagKeys")), d(c("ForAnyValue:StringEquals", "a", "aws:TagKeys"))),
    ("ForAllValues and ForAnyValue", d(c("ForAllValues:StringEquals", "a", "aws:TagKeys")), d(c("ForAnyValue:StringEquals", "a", "aws:TagKeys"))),
    ("ForAllValues with and without IfExists", d(c("ForAllValues:StringEquals", "a", "aws:TagKeys")), d(c("ForAllValues:StringEqualsIfExists", "a", "aws:TagKeys"))),
    ("the account of the principal and of the resource", d(c("StringEquals", ACCOUNT)), d(c("StringEquals", ACCOUNT, "aws:ResourceAccount"))),
    ("the source VPC and the source endpoint", d(c("StringEquals", "vpc-1", "aws:SourceVpc")), d(c("StringEquals", "vpc-1", "aws:SourceVpce"))),
    ("two values", d(c("StringEquals", ACCOUNT)), d(c("StringEquals", OTHER))),
    ("one value more", d(c("StringEquals", ACCOUNT)), d(c("StringEquals", [ACCOUNT, OTHER]))),
    ("a value and none", d(c("StringEquals", ACCOUNT)), d(c("StringEquals", []))),
    ("no value and no condition", d(c("StringEquals", [])), d(s())),
    ("an empty string and none", d(c("StringEquals", "", TAG)), d(c("StringEquals", [], TAG))),
    ("a value has case", d(c("StringEquals", "Finance", TAG)), d(c("StringEquals", "finance", TAG))),
    ("a value of StringLike has case", d(c("StringLike", "Finance*", TAG)), d(c("StringLike", "finance*", TAG))),
    ("a value has white space", d(c("StringEquals", "finance", TAG)), d(c("StringEquals", "finance ", TAG))),
    ("two stars are text for StringEquals", d(c("StringEquals", "a**", TAG)), d(c("StringEquals", "a*", TAG))),
    ("a key more", d(c("StringEquals", ACCOUNT)), d(s(Condition={"StringEquals": {"aws:PrincipalAccount": ACCOUNT, TAG: "a"}}))),
    ("an operator more", d(c("StringEquals", ACCOUNT)), d(s(Condition={"StringEquals": {"aws:PrincipalAccount": ACCOUNT}, "Bool": {"aws:SecureTransport": "true"}}))),
    ("ArnEquals and ArnLike of one key must both hold", d(s(Condition={"ArnEquals": {"aws:PrincipalArn": ROLE}, "ArnLike": {"aws:PrincipalArn": ROLE + "*"}})), d(c("ArnLike", [ROLE, ROLE + "*"], "aws:PrincipalArn"))),
    ("true and false", d(c("Bool", True, "aws:SecureTransport")), d(c("Bool", False, "aws:SecureTransport"))),
    ("true and False in another case", d(c("Bool", "true", "aws:SecureTransport")), d(c("Bool", "False", "aws:SecureTransport"))),
    ("true and True as strings", d(c("StringEquals", "true", TAG)), d(c("StringEquals", "True", TAG))),
    ("true and True as patterns", d(c("StringLikeIfExists", "true", TAG)), d(c("StringLikeIfExists", "True", TAG))),
    ("absent and present", d(c("Null", True)), d(c("Null", False))),
    ("Bool and Null", d(c("Bool", True, "aws:SecureTransport")), d(c("Null", True, "aws:SecureTransport"))),
    ("two numbers", d(c("NumericEquals", 7, "a:b")), d(c("NumericEquals", 8, "a:b"))),
    ("a number and its negative", d(c("NumericEquals", "7", "a:b")), d(c("NumericEquals", "-7", "a:b"))),
    ("numbers that differ in the fortieth digit", d(c("NumericEquals", "1" * 40, "a:b")), d(c("NumericEquals", "1" * 39 + "2", "a:b"))),
    ("less and at most", d(c("NumericLessThan", 7, "a:b")), d(c("NumericLessThanEquals", 7, "a:b"))),
    ("7 and 7.0 as strings", d(c("StringEquals", "7", TAG)), d(c("StringEquals", "7.0", TAG))),
    ("an account id with and without a leading zero", d(c("StringEquals", "012345678901")), d(c("StringEquals", "12345678901"))),
    ("two dates", d(c("DateLessThan", "2030-01-01T00:00:00Z", "aws:CurrentTime")), d(c("DateLessThan", "2030-01-02T00:00:00Z", "aws:CurrentTime"))),
    # AWS does not say which instant a day is: a restore that changes nothing is the lesser harm.
    ("a day and its midnight", d(c("DateLessThan", "2030-01-01", "aws:CurrentTime")), d(c("DateLessThan", "2030-01-01T00:00:00Z", "aws:CurrentTime"))),
    ("one clock time in two time zones", d(c("DateLessThan", "2030-01-01T00:00:00Z", "aws:CurrentTime")), d(c("DateLessThan", "2030-01-01T00:00:00+01:00", "aws:CurrentTime"))),
    ("before and after", d(c("DateLessThan", "2030-01-01T00:00:00Z", "aws:CurrentTime")), d(c("DateGreaterThan", "2030-01-01T00:00:00Z", "aws:CurrentTime"))),
    ("two networks", d(c("IpAddress", "203.0.113.0/24", "aws:SourceIp")), d(c("IpAddress", "203.0.112.0/24", "aws:SourceIp"))),
    ("two prefixes", d(c("IpAddress", "203.0.113.0/24", "aws:SourceIp")), d(c("IpAddress", "203.0.113.0/25", "aws:SourceIp"))),
    ("in a network and outside of it", d(c("IpAddress", "203.0.113.0/24", "aws:SourceIp")), d(c("NotIpAddress", "203.0.113.0/24", "aws:SourceIp"))),
    ("IPv4 and IPv4 within IPv6", d(c("IpAddress", "203.0.113.5", "aws:SourceIp")), d(c("IpAddress", "::ffff:203.0.113.5", "aws:SourceIp"))),
    ("text of another alphabet", d(c("StringEquals", "a", TAG)), d(c("StringEquals", "а", TAG))),  # noqa: RUF001
]  # fmt: skip


def rows(table: list[tuple[str, str, str]]) -> list[Any]:
    return [pytest.param(one, other, id=reason) for reason, one, other in table]


def test_the_table_is_large_enough_and_says_each_thing_once() -> None:
    reasons = [reason for reason, _, _ in EQUAL + DIFFERENT]
    assert len(reasons) == len(set(reasons)) >= 150


@pytest.mark.parametrize(("one", "other"), rows(EQUAL))
def test_equal(one: str, other: str) -> None:
    assert one != other
    assert parse(one) == parse(other)
    assert parse(other) == parse(one)
    assert hash(parse(one)) == hash(parse(other))


@pytest.mark.parametrize(("one", "other"), rows(DIFFERENT))
def test_different(one: str, other: str) -> None:
    assert parse(one) != parse(other)
    assert parse(other) != parse(one)


def test_a_policy_is_equal_to_policies_only() -> None:
    policy = parse(d(s()))
    assert policy != d(s())
    assert isinstance(policy, Policy)


def large(order: int) -> str:
    """A document of 100 * 60 rules, near the largest that AWS takes."""
    actions = [f"secretsmanager:Action{number}" for number in range(100)][::order]
    secrets = [f"arn:aws:secretsmanager:::secret:{number}" for number in range(60)][::order]
    return d(s(Action=actions, Resource=secrets), s(Effect="Deny"))


def test_a_document_too_large_to_take_apart_is_compared_by_its_statements() -> None:
    assert not parse(large(1)).by_rules
    assert parse(large(1)) == parse(large(-1))
    assert parse(large(1)) != parse(large(1).replace("Action99", "Action98"))


def test_a_statement_given_twice_does_not_make_a_document_large():
    once = s(
        Action=[f"a:B{number}" for number in range(60)], Resource=[f"arn:{n}" for n in range(60)]
    )
    assert parse(d(once, once)).by_rules
    assert parse(d(once, once)) == parse(d(once))


def test_a_text_means_a_policy_if_it_can_be_read():
    policy = parse(d(s()))
    assert means(d(s(Sid="Else")), policy)
    assert not means(d(s(Action=PUT)), policy)
    assert not means("{", policy)
