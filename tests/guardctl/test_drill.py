"""The drill holds, and it notices when any one of the reactions does nothing.

`DRILLS=all` idles each of the reactions (`make nightly`); else the one whose work comes first.
"""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
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
from tests.template.stack import ROOT

NIGHTLY = pytest.mark.skipif(
    os.environ.get("DRILLS") != "all", reason="a drill of its own: see make nightly"
)
PICTURE = ROOT / "docs" / "dashboard.svg"
SVG = "{http://www.w3.org/2000/svg}"


@dataclass
class Day:
    """A drill: what the command printed and drew, and what is left of the account's day."""

    result: Result
    picture: str
    records: list[dict[str, Any]]
    exceptions: str
    endpoint: str
    vpc: str


@pytest.fixture(scope="module")
def day(deployment, tmp_path_factory: pytest.TempPathFactory) -> Day:
    left: dict[str, Any] = {}
    picture = tmp_path_factory.mktemp("day") / "dashboard.svg"

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
        result = run("drill", "--format", "jsonl", "--dashboard", picture)
    return Day(result, picture.read_text(), **left)


def test_the_story_holds_is_reported_to_machines_and_is_the_one_of_the_picture(day: Day):
    assert day.result.exit_code == 0, day.result.output
    chapters = [json.loads(line) for line in day.result.stdout.splitlines()]
    assert len(chapters) == len(STORY)
    assert all(chapter["holds"] for chapter in chapters)
    drawn = day.picture == PICTURE.read_text()
    assert drawn, f"run guardctl drill --dashboard {PICTURE.relative_to(ROOT)}"


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
        *(
            pytest.param(name, marks=NIGHTLY)
            for name in (
                "HeartbeatFunction",
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


def root(picture: str) -> ElementTree.Element:
    return ElementTree.fromstring(picture)  # noqa: S314 - our own


def texts(picture: str) -> list[str]:
    return [one.text or "" for one in root(picture).iter(f"{SVG}text")]


def test_the_dashboard_is_drawn_with_what_was_measured(cloud):
    Account(cloud).secret("prod/db")
    cloud.settle()
    picture = draw(cloud)
    shown = texts(picture)
    assert shown[0] == "Requests by verdict"
    assert shown[shown.index("Bypasses") + 1] == "1"
    assert shown[shown.index("bypass") + 1] == "1"  # of the alerts, by kind
    assert shown[shown.index("Findings of all functions") + 1] == str(len(cloud.findings))


def test_what_is_counted_is_drawn_as_a_line_over_the_whole_time(cloud):
    """Zero where nothing was sent, as FILL has CloudWatch draw it; what is no count has dots."""
    Account(cloud).secret("prod/db")
    cloud.pass_time(timedelta(hours=3))
    Account(cloud).secret("prod/web")
    cloud.settle()
    widgets = {one.findtext(f"{SVG}text"): one for one in root(draw(cloud)).findall(f"{SVG}g")}
    counted = widgets["Requests by verdict"]
    (line,) = (one for one in counted.findall(f"{SVG}path") if one.get("class") == "line c0")
    points = re.findall(r"[ML]([\d.]+) ([\d.]+)", line.attrib["d"])
    assert len(points) >= 3 * 12
    assert line.attrib["d"].count("M") == 1
    heights = {float(y) for _, y in points}
    assert len(heights) == 2  # two requests, and nothing in between
    measured = widgets["Seconds: event to repair, heartbeat"]
    assert measured.findall(f"{SVG}circle")
    assert not counted.findall(f"{SVG}circle")


def test_a_frame_is_as_wide_as_a_page_where_nobody_has_a_screen():
    assert console(boxes=True).width == 100
    assert console().width > 100  # nothing is cut in what has no frame
