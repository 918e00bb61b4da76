"""Whatever a text holds, AWS takes what is made of it, by the rules of the embedded cloud."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from moto.core.utils import get_service_model

from emulator.text_rules import check
from guard.findings.text import dimension_value, one_line, subject_line, tag_value

ANY = st.text(st.characters(codec=None))
HOSTILE = (
    "the VPC's own",
    "Ünïcödé \U0001f511",
    "日本語",
    "a\x00b\x1bc\r\nd\te",
    "\ud800\udfff\ufffe\uffff",
    "\u202egnp.exe\u200b",
    "x" * 100_000,
    "\u00e9" * 300,
    "",
    " \t\n",
    "aws:cloudformation:stack-id",
)


def accepted(service: str, action: str, params: dict[str, Any]) -> bool:
    shape = get_service_model(service).operation_model(action).input_shape
    return check(service, action, shape, params, ours=True) is None


def everything(test: Any) -> Any:
    """Any text, and those that have gone wrong somewhere."""
    for text in HOSTILE:
        test = example(text)(test)
    return given(ANY)(test)


@everything
def test_a_tag_s_value(text: str) -> None:
    tags = [{"Key": "vpce-guard:reason", "Value": tag_value(text)}]
    assert accepted("ec2", "CreateTags", {"Resources": ["vpc-0a"], "Tags": tags})


@everything
def test_a_metric_s_dimension(text: str) -> None:
    dimension = {"Name": "Exception", "Value": dimension_value(text)}
    datum = {"MetricName": "ExceptionUses", "Dimensions": [dimension]}
    request = {"Namespace": "VPCEGuard", "MetricData": [datum]}
    assert accepted("cloudwatch", "PutMetricData", request)


@everything
def test_a_message_s_subject(text: str) -> None:
    entry = {"Id": "0", "Message": "m", "Subject": subject_line(f"[HIGH] {text}")}
    request = {
        "TopicArn": "arn:aws:sns:us-east-1:123456789012:t",
        "PublishBatchRequestEntries": [entry],
    }
    assert accepted("sns", "PublishBatch", request)


@pytest.mark.parametrize("text", ["ci-runners", "it's [fine]", "a" * 99])
def test_what_is_right_stays_as_it_is(text: str) -> None:
    assert tag_value(text) == dimension_value(text) == subject_line(text) == one_line(text) == text


def test_names_that_differ_stay_two() -> None:
    assert dimension_value("Büro") != dimension_value("Buro") != dimension_value("日本")
    assert dimension_value("\u200b") == "-"


def test_a_subject_keeps_what_ascii_can_say() -> None:
    assert subject_line("[HIGH] Müller\u2019s café") == "[HIGH] Mullers cafe"
    assert subject_line("x" * 200) == "x" * 96 + "..."
