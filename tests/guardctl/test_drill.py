"""The drill holds, and it notices when any one of the reactions does nothing.

`DRILLS=all` idles each of the reactions (`make nightly`); else two of them.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner, Result

from detect_bypass.judge import Inventory
from detect_bypass.judge.exceptions import FILE_NAME
from emulator.runtime import Outcome as Ran
from guard.cloudtrail.record import parse
from guard.policy.evaluate import Outcome, evaluate
from guardctl.__main__ import app
from guardctl.drill.deploy import deployed
from guardctl.drill.picture import draw
from guardctl.drill.play import play
from guardctl.drill.stage import Stage
from guardctl.drill.story import STORY
from guardctl.terminal import console
from guardctl.twin import files
from guardctl.twin.flows import Flows
from guardctl.twin.logged import Policies
from tests.reactions.account import Account

NIGHTLY = pytest.mark.skipif(
    os.environ.get("DRILLS") != "all", reason="a drill of its own: see make nightly"
)
SVG = "{http://www.w3.org/2000/svg}"


@dataclass
class Day:
    """A drill: what the command printed, and what is left of the account's day."""

    result: Result
    records: list[dict[str, Any]]
    exceptions: str
    endpoint: str
    vpc: str


@pytest.fixture(scope="module")
def day(deployment) -> Day:
    left: dict[str, Any] = {}

    @contextmanager
    def watched(*given: Any) -> Iterator[Stage]:
        with deployed(*given) as stage:
            yield stage
            assert stage.layer
            left["records"] = list(stage.cloud.records)
            left["exceptions"] = (stage.layer / FILE_NAME).read_text()
            left["endpoint"], left["vpc"] = stage.props["endpoint"], stage.props["shop"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("guardctl.drill.deploy.deployed", watched)
        result = CliRunner().invoke(app, ["drill", "--format", "jsonl"])
    return Day(result, **left)


def test_the_story_holds_and_is_reported_to_machines(day: Day):
    assert day.result.exit_code == 0, day.result.output
    chapters = [json.loads(line) for line in day.result.stdout.splitlines()]
    assert len(chapters) == len(STORY)
    assert all(chapter["holds"] for chapter in chapters)


@pytest.mark.parametrize("kind", ["rcp", "secret"])
def test_a_policy_of_the_day_stops_its_bypasses_and_nothing_else(
    day: Day, kind: str, tmp_path: Path
):
    logs, exceptions = tmp_path / "day.json", tmp_path / "exceptions.json"
    logs.write_text(json.dumps({"Records": day.records}, default=str))
    exceptions.write_text(day.exceptions)
    replayed = run("replay", logs, "--exceptions", exceptions, "--format", "jsonl")
    reads = [one for one in lines(replayed) if one["event_name"] == "GetSecretValue"]
    bypasses = {one["event_id"] for one in reads if one["verdict"] == "bypass"}
    assert len(bypasses) > 10
    assert len(reads) - len(bypasses) > 3  # by endpoint, by a service, by exception

    named = ("--stop", "*:role/lab-app", "--forwarded", "*:role/rds-rotation")
    vpc = ("--endpoint-vpc", f"{day.endpoint}={day.vpc}", "--exceptions", exceptions)
    made = run("twin", "propose", logs, "--kind", kind, "--into", tmp_path / "twin", *named, *vpc)
    assert made.exit_code == 0, made.output
    number = len(bypasses)
    assert f"0 that should pass would be denied, {number} of {number} bypasses would" in made.stderr

    scope, candidates = files.read(tmp_path / "twin")
    (policy,) = Policies.of(scope.kind, candidates).regions.values()
    denied = set[str]()
    for one in day.records:
        flows = Flows(scope, Inventory(own_endpoints=frozenset({day.endpoint})))
        flows.add(parse(one))
        outcomes = [evaluate(policy, flow.request).outcome for flow in flows.rows]
        assert set(outcomes) <= {Outcome.ALLOW, Outcome.DENY}
        denied |= {one["eventID"]} if Outcome.DENY in outcomes else set()
    assert denied == bypasses


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments])


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(one) for one in result.stdout.splitlines()]


@pytest.mark.parametrize(
    "reaction",
    [
        "EnsureEndpointFunction",
        "HeartbeatFunction",
        *(
            pytest.param(name, marks=NIGHTLY)
            for name in (
                "RestorePolicyFunction",
                "DetectBypassFunction",
                "SecretPolicyFunction",
                "SweepFunction",
                "NotifySlackFunction",
                "DigestFunction",
                "WatchGuardFunction",
            )
        ),
    ],
)
def test_a_reaction_that_does_nothing_is_noticed(deployment, monkeypatch, reaction):
    with deployed("inprocess") as stage:
        runtime = stage.cloud._runtime
        working = runtime.invoke

        def invoke(function, event):
            idle = Ran(result={"batchItemFailures": []})
            return idle if function.logical_id == reaction else working(function, event)

        monkeypatch.setattr(runtime, "invoke", invoke)

        failed = next((one for one in play(stage, STORY) if not one.holds), None)

    assert failed is not None


def test_the_picture_in_the_documents_shows_the_dashboard_as_it_is(cloud):
    """The same titles and names of metrics; the numbers are those of a drill."""
    path = Path(__file__).parents[2] / "docs" / "dashboard.svg"
    found = set(texts(path.read_text()))
    widgets = json.loads(
        cloud.deployment.of_type("AWS::CloudWatch::Dashboard")["Dashboard"]["DashboardBody"]
    )["widgets"]
    titles = {one["properties"]["title"] for one in widgets}
    named = {
        metric[1]
        for one in widgets
        for metric in one["properties"]["metrics"]
        if metric[0] == "VPCEGuard" and metric[1] != "RepairSeconds"
    }
    assert titles | named <= found, "run guardctl drill --dashboard docs/dashboard.svg"
    assert {"bypass", "endpoint-created", "policy-restored"} <= found  # of a drill


def texts(picture: str) -> list[str]:
    return [one.text or "" for one in ElementTree.fromstring(picture).iter(f"{SVG}text")]  # noqa: S314


def test_the_dashboard_is_drawn_with_what_was_measured(cloud):
    Account(cloud).secret("prod/db")
    cloud.settle()
    picture = draw(cloud)
    titles = [one.text for one in ElementTree.fromstring(picture).iter(f"{SVG}text")]  # noqa: S314
    assert "Requests by verdict" in titles
    place = titles.index("Bypasses")
    assert titles[place + 1] == "1"
    assert "bypass" in titles  # of the alerts, by kind


def test_a_frame_is_as_wide_as_a_page_where_nobody_has_a_screen():
    assert console(boxes=True).width == 100
    assert console().width > 100  # nothing is cut in what has no frame
