"""guardctl history, rollback and resume, against the deployed stack."""

import json
import os
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from guardctl.__main__ import app
from tests.reactions.account import ALLOW_ALL, kinds, writes
from tests.reactions.policies import tamper

RESTORE = "RestorePolicyFunction"
NIGHTLY = pytest.mark.skipif(
    os.environ.get("DRILLS") != "all", reason="another length of the same pause: see make nightly"
)


@pytest.fixture
def endpoint_id(cloud, endpoint_id):
    """An endpoint that was opened to everyone once, and put back."""
    tamper(cloud, endpoint_id)
    cloud.settle()
    return endpoint_id


def run(*arguments, code=0):
    found = CliRunner().invoke(app, [*arguments], terminal_width=200)
    assert found.exit_code == code, found.output + found.stderr
    return found


def test_history_shows_the_changes_as_json_lines_and_as_one_document(cloud, endpoint_id):
    lines = run("history", endpoint_id, "--format", "jsonl").stdout.splitlines()
    created, restored = map(json.loads, lines)
    assert (created["number"], created["action"]) == (1, "created")
    assert (restored["number"], restored["action"]) == (2, "restored")
    assert "user/mallory" in restored["who"]
    assert json.loads(restored["before"])["Statement"] == ALLOW_ALL["Statement"]
    assert restored["callers"][0]["request_id"]

    document = json.loads(run("history", endpoint_id, "--format", "json").stdout)
    assert document == [created, restored]
    assert json.loads(run("history", endpoint_id, "--limit", "1", "--format", "json").stdout) == [
        restored
    ]


def test_history_is_shown_to_people_with_the_difference(cloud, endpoint_id, monkeypatch):
    monkeypatch.setenv("COLUMNS", "240")
    shown = run("history", endpoint_id).stdout
    assert "restored" in shown
    assert "mallory" in shown
    assert "there was no policy before" in shown
    assert "no longer allows: every action for everyone" in shown  # what the guard did
    assert "now also allows" not in shown
    assert "3 more without effect on what is allowed" in shown


def test_an_endpoint_of_which_nothing_is_kept_exits_with_1(cloud):
    assert "Nothing is kept of vpce-0a" in run("history", "vpce-0a", code=1).stderr


def test_rollback_writes_the_earlier_policy_and_the_guard_leaves_it(cloud, account, endpoint_id):
    done = len(writes(cloud, RESTORE))

    said = run("rollback", endpoint_id, "--before", "2", "--pause-hours", "1", "--yes").stdout
    cloud.pass_time(timedelta(minutes=50))
    cloud.fire_schedule()
    cloud.pass_time(timedelta(minutes=5))

    assert "the policy before version 2 again; this is version 3 now" in said
    assert "everyone" in said
    assert account.policy(endpoint_id)["Statement"] == ALLOW_ALL["Statement"]
    assert len(writes(cloud, RESTORE)) == done
    left = [one for one in cloud.findings if one["kind"] == "enforcement-paused"]
    assert [one["severity"] for one in left] == ["low"]
    assert "rolled it back" in left[0]["cause"]
    third = json.loads(run("history", endpoint_id, "--format", "jsonl").stdout.splitlines()[2])
    assert (third["action"], third["callers"][0]["tool"]) == ("rolled back", "guardctl")
    assert "Enforcement is paused until" in run("history", endpoint_id).stderr


def test_enforcement_resumes_by_itself(cloud, account, endpoint_id):
    approved = account.policy(endpoint_id)
    run("rollback", endpoint_id, "--before", "2", "--pause-hours", "2", "--yes")
    cloud.pass_time(timedelta(hours=1, minutes=50))
    assert account.policy(endpoint_id) != approved

    cloud.pass_time(timedelta(minutes=15))

    assert account.policy(endpoint_id) == approved
    assert "Enforcement is paused" not in run("history", endpoint_id).stderr


@pytest.mark.usefixtures("no_heartbeats")
@pytest.mark.parametrize(
    "hours",
    [7, *(pytest.param(hours, marks=NIGHTLY) for hours in (24, 6.9))],
)
def test_a_pause_of_a_day_ends_on_time_and_in_few_messages(cloud, account, endpoint_id, hours):
    """The sweep that comes near its end requests it there: no chain of a day."""
    approved = account.policy(endpoint_id)
    run("rollback", endpoint_id, "--before", "2", "--pause-hours", str(hours), "--yes")
    began = len(cloud.calls)
    cloud.pass_time(timedelta(hours=hours, minutes=-2))
    assert account.policy(endpoint_id) != approved
    cloud.pass_time(timedelta(minutes=4))
    assert account.policy(endpoint_id) == approved

    sent = [c for c in cloud.calls[began:] if c.function == RESTORE and c.action == "SendMessage"]
    assert len(sent) <= 9
    assert (cloud.dropped, cloud.dead_letters("PolicyQueue")) == ([], [])


def test_where_the_queue_refuses_the_request_a_sweep_ends_the_pause(cloud, account, endpoint_id):
    """Whoever rolls back in an emergency may have no right to send to the guard's queues."""
    approved = account.policy(endpoint_id)
    cloud.fault("sqs", "SendMessage", "AccessDenied", times=1)
    said = run("rollback", endpoint_id, "--before", "2", "--pause-hours", "2", "--yes").stderr
    assert "by the next sweep: the queue takes a request only of a role" in said
    cloud.pass_time(timedelta(minutes=1))
    cloud.fault("sqs", "SendMessage", "AccessDenied", times=1)
    assert "vpce-guard:operator" in run("resume", endpoint_id).stdout
    cloud.pass_time(timedelta(minutes=1))
    assert account.policy(endpoint_id) != approved

    cloud.fire_schedule()
    cloud.pass_time(timedelta(minutes=1))

    assert account.policy(endpoint_id) == approved


def test_resume_ends_the_pause(cloud, account, endpoint_id):
    approved = account.policy(endpoint_id)
    run("rollback", endpoint_id, "--before", "2", "--yes")
    cloud.pass_time(timedelta(minutes=1))

    assert "guarded again" in run("resume", endpoint_id).stdout
    cloud.pass_time(timedelta(minutes=1))

    assert account.policy(endpoint_id) == approved
    assert "not paused" in run("resume", endpoint_id, code=1).stderr


def test_a_dry_run_writes_nothing(cloud, account, endpoint_id):
    approved, before = account.policy(endpoint_id), len(cloud.calls)

    said = run("rollback", endpoint_id, "--before", "2", "--dry-run").stdout

    assert "everyone" in said
    assert account.policy(endpoint_id) == approved
    changed = [one.action for one in cloud.calls[before:] if one.action.startswith(("Mod", "Upd"))]
    assert changed == []


def test_a_change_that_is_not_there_names_those_that_are(cloud, endpoint_id):
    said = run("rollback", endpoint_id, "--to", "9", code=2).stderr
    assert "has no version 9 in the history: there are 1, 2" in said


def test_before_the_creation_there_was_nothing(cloud, account, endpoint_id):
    said = run("rollback", endpoint_id, "--before", "1", code=2).stderr
    assert f"next: guardctl rollback {endpoint_id} --to 1" in said
    assert "already has version 1" in run("rollback", endpoint_id, "--to", "1", code=2).stderr


def test_a_wider_policy_is_shown_and_not_written_without_yes(cloud, account, endpoint_id):
    approved, before = account.policy(endpoint_id), len(cloud.calls)

    found = run("rollback", endpoint_id, "--before", "2", code=2)

    assert '"Principal": "*"' in found.stdout
    assert (
        "Difference to the policy that is attached now:\n  wider: now also allows" in found.stdout
    )
    assert "3 more without effect on what is allowed" in found.stdout
    assert "next: read the difference above, and add --yes" in found.stderr
    assert account.policy(endpoint_id) == approved
    assert not [one for one in cloud.calls[before:] if one.action == "ModifyVpcEndpoint"]


def test_a_version_is_what_its_change_wrote_and_a_narrower_one_needs_no_yes(
    cloud, account, endpoint_id
):
    approved = account.policy(endpoint_id)
    run("rollback", endpoint_id, "--before", "2", "--yes")
    found = run("rollback", endpoint_id, "--to", "2")
    assert f"{endpoint_id} has version 2 again; this is version 4 now" in found.stdout
    assert "wider" not in found.stdout
    assert account.policy(endpoint_id) == approved


@pytest.mark.parametrize("options", [[], ["--to", "1", "--before", "2"]])
def test_one_version_is_to_be_named(cloud, endpoint_id, options):
    assert "give either --to or --before" in run("rollback", endpoint_id, *options, code=2).stderr


def test_what_is_no_endpoint_is_refused(cloud):
    said = run("rollback", "vpce-0123456789abcdef0", "--to", "1", code=2).stderr
    assert "no endpoint for Secrets Manager" in said


def test_a_rollback_that_aws_refuses_pauses_nothing(cloud, account, endpoint_id):
    cloud.fault("ec2", "ModifyVpcEndpoint", "UnauthorizedOperation", times=5)

    said = run("rollback", endpoint_id, "--before", "2", "--yes", code=2).stderr

    assert "missing permission: ec2:ModifyVpcEndpoint" in said
    assert "not paused" in run("resume", endpoint_id, code=1).stderr
    assert kinds(cloud)[-1] == "policy-restored"


def test_without_a_stack_it_says_so(cloud):
    said = run("history", "vpce-0a", "--stack-name", "other", code=2).stderr
    assert "there is no stack other" in said
