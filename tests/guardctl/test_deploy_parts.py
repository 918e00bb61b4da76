"""What a deployment is made of, without SAM: its values, its changes, and what is next."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardctl.deploy import changes
from guardctl.deploy.next_steps import After, next_steps
from guardctl.deploy.values import BadValues, declared, known_parameters, pairs, saved_pairs
from tests.template.stack import TEMPLATE, written


@given(st.dictionaries(st.text("abcXYZ:-", min_size=1), st.text(), max_size=4))
def test_pairs_are_read_as_a_shell_would(values):
    quoted = {key: "'" + value.replace("'", "'\"'\"'") + "'" for key, value in values.items()}
    assert pairs(" ".join(f"{key}={value}" for key, value in quoted.items())) == values


def test_samconfig_may_hold_one_text_a_list_or_a_table():
    expected = {"A": "b c", "D": "e"}
    assert (
        saved_pairs('A="b c" D=e')
        == saved_pairs(['A="b c"', "D=e"])
        == saved_pairs(expected)
        == expected
    )
    assert saved_pairs(None) == {}


def test_names_are_those_of_the_template():
    assert declared(TEMPLATE.read_text()) == list(written()["Parameters"])
    with pytest.raises(BadValues, match=r"no parameter Nonsense$"):
        known_parameters({"Nonsense": "1"})


def test_what_deletes_stands_first():
    def change(action, name, replacement="False"):
        return {
            "Action": action,
            "LogicalResourceId": name,
            "ResourceType": "AWS::SQS::Queue",
            "Replacement": replacement,
        }

    some = [
        change("Add", "New"),
        change("Modify", "Same"),
        change("Modify", "Maybe", "Conditional"),
        change("Modify", "Other", "True"),
        change("Remove", "Gone"),
    ]
    verbs = [line.split("  ")[0] for line in changes.in_words(some)]
    assert verbs == ["delete", "replace", "perhaps replace", "change", "create"]


class Failing:
    """A CloudFormation in which one resource cannot be made; moto's never fails."""

    def __init__(self) -> None:
        self._events = [("1", "REVIEW_IN_PROGRESS", "stack", "")]
        self._statuses = ["CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"]
        self.executed: list[str] = []

    def describe_change_set(self, *, ChangeSetName: str) -> Any:  # noqa: N803 - boto3's name
        return {"StackId": "stack"}

    def execute_change_set(self, *, ChangeSetName: str) -> None:  # noqa: N803
        self.executed.append(ChangeSetName)
        self._events += [
            ("2", "CREATE_COMPLETE", "VpcQueue", ""),
            ("3", "CREATE_FAILED", "SweepRole", "no right to iam:CreateRole"),
            ("4", "CREATE_FAILED", "DigestRole", "Resource creation cancelled"),
        ]

    def describe_stacks(self, *, StackName: str) -> Any:  # noqa: N803
        return {"Stacks": [{"StackStatus": self._statuses.pop(0)}]}

    def get_paginator(self, name: str) -> Any:
        assert name == "describe_stack_events"
        return self

    def paginate(self, *, StackName: str) -> Any:  # noqa: N803
        keys = ("EventId", "ResourceStatus", "LogicalResourceId", "ResourceStatusReason")
        newest_first = [dict(zip(keys, one, strict=True)) for one in reversed(self._events)]
        return [{"StackEvents": newest_first[:2]}, {"StackEvents": newest_first[2:]}]


def test_what_failed_first_is_said_last_and_each_failure_once(monkeypatch):
    monkeypatch.setattr(changes, "POLL_SECONDS", 0)
    cloudformation, said = Failing(), []
    with pytest.raises(changes.DeploymentFailed) as failed:
        changes.execute(cloudformation, "arn:set", said.append)
    assert cloudformation.executed == ["arn:set"]
    assert (
        str(failed.value) == "the stack is ROLLBACK_COMPLETE. SweepRole: no right to iam:CreateRole"
    )
    assert [one for one in said if one.startswith("failed")] == [
        "failed: SweepRole: no right to iam:CreateRole",
        "failed: DigestRole: Resource creation cancelled",
    ]


AFTER = After(
    outputs={
        "FindingsTopicArn": "arn:f",
        "AlarmsTopicArn": "arn:a",
        "ModeParameterName": "mode",
    },
    parameters={},
    heard={"FindingsTopicArn": False, "AlarmsTopicArn": False},
    mode="observe",
    region="eu-west-1",
    profile="sandbox",
)


def test_the_next_steps_have_the_values_of_the_stack():
    hear, read, write = next_steps(AFTER)
    where = "--region eu-west-1 --profile sandbox"
    assert f"aws sns subscribe {where} --topic-arn arn:f " in hear
    assert f"aws sns subscribe {where} --topic-arn arn:a " in hear
    assert f"guardctl audit {where}" in read
    assert f"aws ssm put-parameter {where} --name mode --overwrite --value remediate" in write


def test_the_next_steps_heed_what_is_done_already():
    done = replace(AFTER, heard=dict.fromkeys(AFTER.heard, True), mode="remediate", profile="")
    hear, read, write = next_steps(done)
    assert "confirmed" in hear
    assert "already writes" in read
    assert write.endswith("--region eu-west-1 --name mode --overwrite --value observe")
    mail = replace(AFTER, parameters={"AlertEmail": "ops@example.com"})
    assert "has sent ops@example.com a mail" in next_steps(mail)[0]
