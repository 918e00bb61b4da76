"""Low severity in one message, alerts summed up when over, a report once a day; nothing lost."""

import json
from datetime import timedelta
from typing import Any

import pytest

from emulator import Caller, Cloud
from guard.findings.finding import Finding
from guard.findings.summary import summary
from guard.publishing.message import email_text, published_form
from tests.findings import bypass
from tests.reactions.account import Account

FUNCTION = "DigestFunction"
OUTSIDE = Caller(source_ip="198.51.100.7")


def run(cloud: Cloud, **later: int) -> None:
    """Let the digest run now, or by its own schedule so much later."""
    if later:
        cloud.clock.skip_to(cloud.clock.now() + timedelta(**later, seconds=1))
    else:
        cloud.fire_schedule("DigestRule")
    cloud.settle()


def next_day(cloud: Cloud, days: int = 1) -> None:
    """Let the digest run at nine o'clock of a day to come."""
    cloud.settle()  # the schedules set out
    morning = cloud.clock.now().replace(hour=9, minute=0, second=0, microsecond=0)
    cloud.clock.skip_to(morning + timedelta(days=days))
    cloud.settle()


def digests(cloud: Cloud, kind: str = "digest") -> list[dict[str, Any]]:
    return [one for one in cloud.findings if one["kind"] == kind]


def published(cloud: Cloud) -> list[str]:
    """The kinds that went out on the topic, in order."""
    return [
        entry["MessageAttributes"]["kind"]["StringValue"]
        for call in cloud.calls
        if (call.service, call.action) == ("sns", "PublishBatch") and not call.error
        for entry in call.params["PublishBatchRequestEntries"]
    ]


def change_a_secrets_policy(account: Account, name: str = "prod/db") -> None:
    """A finding of low severity."""
    secret = account.secret(name)
    account.client("secretsmanager").delete_resource_policy(SecretId=secret)
    account.cloud.settle()


def read_from_outside(account: Account, times: int = 1) -> None:
    """An alert of high severity."""
    session = account.cloud.session("mallory", OUTSIDE)
    for _ in range(times):
        session.client("secretsmanager").get_secret_value(SecretId="prod/db")
    account.cloud.settle()


def test_low_severity_waits_for_the_hour_and_then_comes_in_one_message(cloud, account):
    for name in ("prod/db", "prod/api", "prod/mail"):
        change_a_secrets_policy(account, name)
    assert "secret-policy-changed" not in published(cloud)
    run(cloud)
    assert published(cloud).count("digest") == 1
    [digest] = digests(cloud)
    collected = digest["evidence"]["collected"]["findings"]
    assert len([one for one in collected if one["kind"] == "secret-policy-changed"]) == 3
    assert all(one["evidence"] for one in collected)
    run(cloud, hours=1)
    again = [one for one in digests(cloud)[1:] if "collected" in one["evidence"]]
    assert again == []


def test_high_severity_goes_out_at_once(cloud, account):
    account.secret("prod/db")
    read_from_outside(account)
    assert "bypass" in published(cloud)


def test_an_hour_without_findings_is_a_few_reads_and_no_message(cloud):
    next_day(cloud)
    run(cloud)
    before = len(cloud.calls)
    run(cloud, hours=1)
    made = [call.action for call in cloud.calls[before:] if call.function == FUNCTION]
    assert set(made) == {"BatchGetItem", "Query"}
    assert len(made) <= 3
    assert digests(cloud) == []


def test_an_alert_that_is_over_is_summed_up_once(cloud, account):
    account.secret("prod/db")
    read_from_outside(account)
    for _ in range(4):
        read_from_outside(account)
    run(cloud)
    assert digests(cloud) == []  # its window is still open
    run(cloud, hours=1)
    [digest] = digests(cloud)
    [over] = [one for one in digest["evidence"]["over"]["findings"] if one["kind"] == "bypass"]
    assert over["count"] == 5
    assert over["first_seen"] < over["last_seen"]
    assert over["severity"] == "high"
    run(cloud, hours=1)
    assert len(digests(cloud)) == 1


def test_what_ops_were_notified_in_full_is_not_summed_up(cloud, account):
    account.secret("prod/db")
    read_from_outside(account)
    run(cloud, hours=2)
    assert digests(cloud) == []


def test_windows_that_follow_each_other_between_two_runs_are_all_counted(cloud, account):
    account.secret("prod/db")
    for _ in range(3):
        for _ in range(2):
            read_from_outside(account)
        cloud.clock.skip_to(cloud.clock.now() + timedelta(hours=1, minutes=1))
    run(cloud)
    sums = [
        one["count"]
        for digest in digests(cloud)
        for one in digest["evidence"]["over"]["findings"]
        if "mallory" in one["title"]
    ]
    assert sum(sums) == 6


def test_a_new_window_does_not_take_the_old_ones_numbers_along(cloud, account):
    account.secret("prod/db")
    for _ in range(3):
        read_from_outside(account)
    cloud.clock.skip_to(cloud.clock.now() + timedelta(hours=1, minutes=1))
    read_from_outside(account)
    read_from_outside(account)
    run(cloud)
    [first] = digests(cloud)
    assert [one["count"] for one in first["evidence"]["over"]["findings"]] == [3]
    run(cloud, hours=2)
    [_, second] = digests(cloud)
    assert [one["count"] for one in second["evidence"]["over"]["findings"]] == [2]


def test_what_sns_did_not_accept_is_published_by_the_next_try(cloud, account):
    change_a_secrets_policy(account)
    cloud.fault(service="sns", action="PublishBatch", error="InternalError", times=9)
    run(cloud)
    assert digests(cloud) == []
    failed = [one for one in cloud.invocations if one.function == FUNCTION and one.error]
    assert failed
    run(cloud, hours=1)
    collected = [
        one["kind"]
        for digest in digests(cloud)
        for one in digest["evidence"]["collected"]["findings"]
    ]
    assert collected.count("secret-policy-changed") == 1


def test_one_that_dies_after_publishing_repeats_it_under_the_same_id(cloud, account):
    change_a_secrets_policy(account)
    cloud.fault(
        service="dynamodb", action="UpdateItem", error="InternalServerError", times=5,
        function=FUNCTION,
    )  # fmt: skip
    run(cloud)
    ids = [one["id"] for one in digests(cloud)]
    assert len(ids) >= 2
    assert len(set(ids)) == 1
    run(cloud)
    assert len(digests(cloud)) == len(ids)


def test_of_many_findings_none_is_missing(cloud, account):
    names = {f"prod/{n}" for n in range(12)}
    for name in sorted(names):
        change_a_secrets_policy(account, name)
    run(cloud)
    published = [
        one for digest in digests(cloud) for one in digest["evidence"]["collected"]["findings"]
    ]
    assert len({one["id"] for one in published}) == len(published)
    assert {one["resource"].split(":secret:")[1][:-7] for one in published} >= names


def test_a_day_is_reported_on_once(cloud, account):
    next_day(cloud)  # sets out
    account.secret("prod/db")
    read_from_outside(account, times=3)
    account.vpc_with_subnets()
    cloud.settle()
    next_day(cloud)
    run(cloud, hours=1)
    [report] = digests(cloud, "daily-report")
    evidence = report["evidence"]
    assert evidence["found"]["bypass"] == 4  # with the call that made the secret
    assert evidence["repaired"]["endpoint-created"] == 1
    assert evidence["mode"] == "remediate"
    assert evidence["excepted"] == 0
    text = email_text(report)
    assert "- found:\n    bypass: 4" in text
    assert "- overdue:\n    none" in text
    assert Finding.from_json(report).severity == "info"


def test_days_that_were_missed_are_made_up_for(cloud):
    next_day(cloud)
    next_day(cloud, 3)
    days = [one["evidence"]["day"] for one in digests(cloud, "daily-report")]
    assert len(days) == 3
    assert days == sorted(set(days))


def test_a_report_that_sns_refuses_is_made_again(cloud):
    next_day(cloud)
    cloud.fault(
        service="sns", action="PublishBatch", error="InternalError", times=9, function=FUNCTION
    )
    next_day(cloud)
    assert digests(cloud, "daily-report") == []
    run(cloud)
    assert len(digests(cloud, "daily-report")) == 1


def test_what_is_paused_is_in_the_report_until_it_no_longer_is(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()
    next_day(cloud)
    with pytest.raises(account.ec2.exceptions.ClientError):
        account.ec2.delete_subnet(SubnetId=subnets[0])
    cloud.settle()
    next_day(cloud)
    [report] = digests(cloud, "daily-report")
    assert [one["resource"] for one in report["evidence"]["paused"]["findings"]] == [vpc_id]
    next_day(cloud)
    assert digests(cloud, "daily-report")[-1]["evidence"]["paused"]["findings"] == []


def test_slack_shows_a_digest_as_lines(cloud, account):
    change_a_secrets_policy(account)
    run(cloud)
    [message] = [one for one in cloud.slack.messages if "Digest" in one["text"]]
    assert "[low] The resource policy of" in json.dumps(message)


def test_a_window_that_goes_on_is_read_again_when_it_is_over(cloud):
    """Two reads of a new window came before the digest published the five of the one before."""
    now = int(cloud.clock.now().timestamp())
    body = json.dumps(summary(published_form(bypass())))
    numbers = {"ends": now + 1800, "tally": 2, "told": 2, "first_seen": now, "last_seen": now}
    past = {"past_tally": 5, "past_told": 1, "past_first": now - 4000, "past_last": now - 3000}
    numbers |= {**past, "summary_at": now - 60}
    texts = {"pk": f"finding#{bypass().fingerprint}", "summary": "due", "body": body}
    item: Any = {name: {"N": str(n)} for name, n in numbers.items()}
    item |= {name: {"S": text} for name, text in texts.items()}
    table, name = cloud.session("ops").client("dynamodb"), cloud.resource("StateTable")
    table.put_item(TableName=name, Item=item)
    run(cloud)
    [published] = [one for one in digests(cloud) if "over" in one["evidence"]]
    assert [one["count"] for one in published["evidence"]["over"]["findings"]] == [5]
    left = table.get_item(TableName=name, Key={"pk": item["pk"]})["Item"]
    assert left["summary_at"] == left["ends"]
    assert not {*past} & {*left}


@pytest.mark.parametrize("action", ["GetParameter", "GetParametersByPath"])
def test_a_parameter_that_aws_refuses_to_show_does_not_hold_up_the_daily_report(
    cloud, account, action
):
    next_day(cloud)  # the first run reports none
    cloud.fault("ssm", action, "AccessDeniedException", times=1_000, function=FUNCTION)
    next_day(cloud)
    (report,) = digests(cloud, "daily-report")[-1:]
    assert report["evidence"]["day"] == (cloud.clock.now() - timedelta(days=1)).date().isoformat()
    refused = [one for one in cloud.calls if (one.function, one.action) == (FUNCTION, action)]
    assert refused[-1].error
    assert cloud.dead_letters("RuleDeadLetterQueue") == []
