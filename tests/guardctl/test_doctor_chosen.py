"""guardctl doctor on what parameters name and on what runs, and the rights that it needs."""

import json
import re
from typing import Any

from botocore.exceptions import ClientError

from guardctl.doctor.access import judge_refusal
from guardctl.doctor.chosen import ENDPOINTS, S3, judge_key, judge_subnets
from guardctl.doctor.lines import State
from guardctl.doctor.running import PENDING, judge_heard, judge_mode
from tests.guardctl.doctors import doctor
from tests.template.stack import ROOT

OK, WARN, STOP, UNKNOWN = State.OK, State.WARN, State.STOP, State.UNKNOWN

# --- parameters -----------------------------------------------------------------------------------


def test_the_parameter_of_slack_must_be_a_secure_string(cloud):
    put = cloud.session("ann").client("ssm").put_parameter

    def state(name):
        lines = doctor("--parameters", f"SlackWebhookParameter={name}", code=name != "/secure")
        return lines["SlackWebhookParameter"]["state"]

    put(Name="/plain", Type="String", Value="x")
    put(Name="/secure", Type="SecureString", Value="x")
    assert [state(name) for name in ("/none", "/plain", "/secure")] == ["warning", "warning", "ok"]


def test_the_key_must_be_there_enabled_here_and_let_the_services_in(cloud):
    kms = cloud.session("ann").client("kms")
    services = [f"{one}.amazonaws.com" for one in ("cloudwatch", "events", "sns")]
    statements = [
        {"Effect": "Allow", "Principal": {"Service": services}, "Action": "kms:*", "Resource": "*"},
        {
            "Effect": "Allow",
            "Principal": {"Service": "logs.us-east-1.amazonaws.com"},
            "Action": "kms:*",
            "Resource": "*",
        },
    ]
    made = [
        kms.create_key(Policy=json.dumps({"Version": "2012-10-17", "Statement": some}))
        for some in (statements, statements[:1])
    ]
    right, silent = (one["KeyMetadata"]["Arn"] for one in made)

    def line(arn, code):
        return doctor("--parameters", f"EncryptionKeyArn={arn}", code=code)["EncryptionKeyArn"]

    assert line(right, 0)["state"] == "ok"
    assert "no service logs" in line(silent, 1)["text"]
    kms.disable_key(KeyId=right.rsplit("/", 1)[-1])
    assert line(right, 1)["state"] == "stop"
    assert line(right.replace("us-east-1", "eu-west-1"), 1)["do"] == "name a key of us-east-1"
    assert line(right[:-36] + "0" * 36, 1)["text"] == "there is no such key"
    for other in ("alias/mine", "1234abcd-12ab-34cd-56ef-1234567890ab", "arn:aws:kms"):
        assert line(other, 1)["text"] == f"{other} is not the ARN of a key"
    asymmetric = {"Enabled": True, "KeySpec": "RSA_2048"}
    assert judge_key(asymmetric, None).state is STOP
    assert judge_key({"Enabled": True}, None).state is UNKNOWN


def test_the_subnets_must_be_of_one_vpc_with_the_endpoints(cloud, account):
    (one, first), (_, second) = account.vpc_with_subnets(), account.vpc_with_subnets()

    def line(subnets):
        return doctor("--parameters", f"FunctionSubnets={','.join(subnets)}", code=1)[
            "FunctionSubnets"
        ]

    assert line([first[0], second[0]])["do"] == "name subnets of one VPC"
    assert line(["subnet-00000000"])["state"] == "stop"
    text = line(first)["text"]
    assert (f"{one} has no endpoint for cloudformation" in text, "s3" in text) == (True, False)
    given = f"FunctionSubnets={first[0]} TrailBucket=trail-logs"
    assert doctor("--parameters", given, code=1)["FunctionSubnets"]["text"].endswith("ssm, s3")
    assert judge_subnets([one], ENDPOINTS).state is OK
    assert judge_subnets([one], ENDPOINTS[1:]).state is WARN


# --- what runs ------------------------------------------------------------------------------------


def test_a_topic_that_nobody_hears_and_a_mode_that_is_none(cloud):
    sns: Any = cloud.session("ann").client("sns")
    for one in sns.list_subscriptions_by_topic(TopicArn=cloud.outputs["AlarmsTopicArn"])[
        "Subscriptions"
    ]:
        sns.unsubscribe(SubscriptionArn=one["SubscriptionArn"])
    name = cloud.outputs["ModeParameterName"]
    cloud.session("ann").client("ssm").put_parameter(Name=name, Value="off", Overwrite=True)
    lines = doctor(code=1)
    assert "aws sns subscribe --region us-east-1" in lines["subscribers of alarms"]["do"]
    assert "the guard writes nothing" in lines["mode"]["text"]


def test_a_mail_that_is_not_confirmed_yet():
    waiting = {"SubscriptionArn": PENDING, "Endpoint": "ops@example.com"}
    line = judge_heard("x", "arn", [waiting, {"SubscriptionArn": "arn", "Endpoint": "q"}], "r")
    assert (line.state, "ops@example.com" in line.text) == (WARN, True)
    assert judge_mode("observe", "/m").state is OK


def test_any_error_of_aws_has_words():
    error = ClientError({"Error": {"Code": "Odd", "Message": "odd"}}, "GetCallerIdentity")
    assert judge_refusal(error).state is STOP


def test_the_documented_policy_allows_what_is_called_and_no_more(cloud, account):
    """docs/deploying.md says what may be granted for it."""
    text = (ROOT / "docs" / "deploying.md").read_text()
    (statement,) = json.loads(text.split("```json\n")[1].split("```")[0])["Statement"]
    _, subnets = account.vpc_with_subnets()
    kms = cloud.session("ann").client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    done = len(cloud.calls)
    parameters = f"EncryptionKeyArn={key} FunctionSubnets={subnets[0]}"
    doctor("--parameters", parameters, code=1)
    called = {f"{call.service}:{call.action}" for call in cloud.calls[done:]}
    called = {one.replace("service-quotas:", "servicequotas:") for one in called}
    assert {one.lower() for one in called} == {one.lower() for one in statement["Action"]}


def test_the_endpoints_that_are_checked_are_those_of_the_documentation():
    text = (ROOT / "docs" / "security.md").read_text()
    assert sorted(re.findall(r"`com\.amazonaws\.<region>\.([a-z0-9]+)`", text)) == sorted(
        [*ENDPOINTS, S3]
    )
