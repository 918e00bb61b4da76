"""The drill holds, and it notices when any one of the reactions does nothing.

`DRILLS=all` idles each of the reactions (`make nightly`); else two of them.
"""

import json
import os
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from emulator.runtime import Outcome
from guardctl.__main__ import app
from guardctl.drill.deploy import deployed
from guardctl.drill.picture import draw
from guardctl.drill.play import play
from guardctl.drill.story import STORY
from guardctl.terminal import console
from tests.reactions.account import Account

NIGHTLY = pytest.mark.skipif(
    os.environ.get("DRILLS") != "all", reason="a drill of its own: see make nightly"
)
SVG = "{http://www.w3.org/2000/svg}"


def test_the_story_holds_and_is_reported_to_machines(deployment):
    result = CliRunner().invoke(app, ["drill", "--format", "jsonl"])

    assert result.exit_code == 0, result.output
    chapters = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(chapters) == len(STORY)
    assert all(chapter["holds"] for chapter in chapters)


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
            idle = Outcome(result={"batchItemFailures": []})
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
