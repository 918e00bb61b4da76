"""The dashboard shows what the code measures, each metric under the dimensions it is sent with."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from emulator import Cloud
from emulator.metrics import measured
from guard.publishing.metrics import NAMESPACE
from tests.template.stack import ROOT, Stack

STACK = Stack()
WIDGETS = json.loads(STACK.properties("Dashboard")["DashboardBody"])["widgets"]
SEARCH = re.compile(
    r"(?:FILL\()?SEARCH\('\{([\w/]+),(\w+)\} MetricName=\"(\w+)\""
    r"(?: \w+=\((.+)\))?', '\w+', \d+\)(?:, 0\))?"
)
FREE = 50  # metrics on a dashboard, "Amazon CloudWatch pricing"

# What a day as the tests play it does not bring forth; the drill or the tests of the reactions do.
RARE = {
    ("Approved", "detect_bypass"),
    ("Exempted", "detect_bypass"),
    ("Unreadable", "detect_bypass"),
    ("PoliciesNotRestorable", "restore_policy"),
    ("EnforcementPaused", "restore_policy"),
    (
        "RepairSeconds",
        "ensure_endpoint",
    ),  # creations wait for the grace, and that is no repair time
    ("SecretPoliciesWhole", "secret_policy"),
    ("SecretPoliciesRestored", "secret_policy"),
    ("SecretPoliciesNotRestorable", "secret_policy"),
}

type Shown = tuple[str, str, tuple[tuple[str, str], ...]]


def metrics() -> Iterator[list[Any]]:
    for widget in WIDGETS:
        yield from widget["properties"]["metrics"]


def named() -> Iterator[list[Any]]:
    """The metrics with a name: the others are expressions."""
    return (one for one in metrics() if isinstance(one[0], str))


def ours() -> set[Shown]:
    """Name and dimensions of each metric that the functions measure themselves."""
    return {
        (name, ((dimension, value),))
        for namespace, name, dimension, value, *_ in named()
        if namespace == NAMESPACE
    }


@pytest.fixture(scope="module")
def sent(day: Cloud) -> set[Shown]:
    """Name and dimensions of each metric that was really sent in a day."""
    every = [one for run in day.invocations for one in measured(run.output)]
    assert {one.namespace for one in every} == {NAMESPACE}
    return {(one.name, one.dimensions) for one in every}


def test_every_metric_shown_is_one_that_was_sent_so(sent: set[Shown]):
    rare = {(name, (("service", service),)) for name, service in RARE}
    assert ours() - sent - rare == set()


@pytest.mark.parametrize(("name", "service"), sorted(RARE))
def test_what_is_rare_is_measured_by_the_function_it_is_shown_for(name: str, service: str):
    assert (name, (("service", service),)) in ours()
    folders = (ROOT / "functions" / service, ROOT / "functions" / "guard" / "reconcile")
    files = [path for folder in folders for path in folder.rglob("*.py")]
    assert any(f'"{name}"' in path.read_text() for path in files)


def searches() -> dict[str, tuple[str, str, set[str]]]:
    """Namespace, dimension and values that are searched for, by the metric's name."""
    found = [
        SEARCH.fullmatch(one[0]["expression"]) for one in metrics() if isinstance(one[0], dict)
    ]
    return {
        one[3]: (one[1], one[2], set(re.findall(r'"([^"]+)"', one[4] or "")))
        for one in found
        if one
    }


def test_alerts_are_found_by_the_dimension_they_are_sent_with(sent: set[Shown]):
    namespace, dimension, _ = searches()["Alerts"]
    assert namespace == NAMESPACE
    kinds = {dims[0][1] for known, dims in sent if known == "Alerts" and dims[0][0] == dimension}
    assert {"bypass", "endpoint-created", "policy-restored", "guard-changed"} <= kinds


def test_errors_of_every_function_are_found():
    functions = set(STACK.of_type("AWS::Lambda::Function"))
    assert searches()["Errors"] == ("AWS/Lambda", "FunctionName", functions)


def test_a_search_is_as_short_as_cloudwatch_takes_it():
    longest = "f" * 64  # the longest name of a function
    for one in metrics():
        if isinstance(one[0], dict):
            reported = one[0]["expression"]
            for name in STACK.of_type("AWS::Lambda::Function"):
                reported = reported.replace(f'"{name}"', f'"{longest}"')
            assert len(reported) <= 1024


@pytest.mark.parametrize("metric", ["ApproximateNumberOfMessagesVisible", "ApproximateAge"])
def test_every_queue_is_shown_by_what_explains_it(metric: str):
    shown = {one[3] for one in metrics() if isinstance(one[0], str) and one[1].startswith(metric)}
    dead = {one for one in STACK.of_type("AWS::SQS::Queue") if one.endswith("DeadLetterQueue")}
    alive = set(STACK.of_type("AWS::SQS::Queue")) - dead
    expected = dead if metric.endswith("Visible") else alive
    assert shown == {f"{one}.QueueName" for one in expected}


def test_the_dashboard_stays_within_the_free_tier():
    number = len(list(named()))
    assert number <= FREE
    assert f"Ours names {number} " in (ROOT / "docs" / "performance.md").read_text()


def test_without_slack_and_trail_nothing_is_shown_that_is_not_there():
    stack = Stack({})
    widgets = json.loads(stack.properties("Dashboard")["DashboardBody"])["widgets"]
    assert len(widgets) == len(WIDGETS)
    assert not re.search("Notify|FindMissed", json.dumps(widgets))


def test_the_rest_are_aws_metrics_of_what_the_stack_has():
    names = {
        "AWS/Lambda": ("FunctionName", set(STACK.of_type("AWS::Lambda::Function"))),
        "AWS/SQS": ("QueueName", {f"{one}.QueueName" for one in STACK.of_type("AWS::SQS::Queue")}),
    }
    for one in metrics():
        if isinstance(one[0], str) and one[0] != NAMESPACE:
            dimension, known = names[one[0]]
            assert one[2] == dimension
            assert one[3] in known


@pytest.mark.parametrize(
    "what",
    ["verdict", "kind", "Repairs", "event to repair", "Oldest waiting", "dead-letter", "Cost"],
)
def test_what_ops_want_to_know_has_its_place(what: str):
    assert any(what in widget["properties"]["title"] for widget in WIDGETS)


FILL = "FILL(METRICS(), 0)"


@pytest.mark.parametrize(
    "title",
    [
        "Requests by verdict",
        "Repairs, and paused enforcement",
        "Found healthy, and checked",
        "Published, and posted in Slack",
    ],
)
def test_what_is_counted_is_a_line_and_no_dots(title: str):
    """CloudWatch joins no points across periods in which nothing was sent."""
    (widget,) = (one for one in WIDGETS if one["properties"]["title"] == title)
    counted = [one for one in widget["properties"]["metrics"] if isinstance(one[0], str)]
    filling = [one[0] for one in widget["properties"]["metrics"] if isinstance(one[0], dict)]
    assert FILL in [one["expression"] for one in filling]
    assert all(one[4]["visible"] is False for one in counted)  # or each would be drawn twice
    ids = [one[-1]["id"] for one in widget["properties"]["metrics"]]
    assert len(ids) == len(set(ids))


def test_findings_of_all_functions_are_added_up_by_what_each_of_them_sends(sent: set[Shown]):
    """FindingsPublished is a metric of four functions alone; whoever publishes sends Alerts."""
    (widget,) = (one for one in WIDGETS if "Published" in one["properties"]["title"])
    first = widget["properties"]["metrics"][0][0]["expression"]
    assert first == "FILL(SUM(SEARCH('{VPCEGuard,kind} MetricName=\"Alerts\"', 'Sum', 300)), 0)"
    assert {"FindingsPublished"}.isdisjoint(one[1] for one in named())
    publishing = {
        path.parent.name
        for path in (ROOT / "functions").glob("*/*.py")
        if "Publisher.of(" in path.read_text()
    }
    services = {dims[0][1] for known, dims in sent if known == "FindingsPublished"}
    assert publishing > services


def test_a_title_fits_its_widget():
    for widget in WIDGETS:
        assert len(widget["properties"]["title"]) <= 4.5 * widget["width"]


def test_widgets_do_not_overlap():
    cells: set[tuple[int, int]] = set()
    for widget in WIDGETS:
        assert widget["x"] + widget["width"] <= 24
        area = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not cells & area
        cells |= area
