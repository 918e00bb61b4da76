"""The drill holds, and it notices when any one of the reactions does nothing.

`DRILLS=all` idles each of the reactions (`make nightly`); else two of them.
"""

import json
import os
import re
from datetime import timedelta
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
from tests.template.stack import ROOT

NIGHTLY = pytest.mark.skipif(
    os.environ.get("DRILLS") != "all", reason="a drill of its own: see make nightly"
)
PICTURE = ROOT / "docs" / "dashboard.svg"
SVG = "{http://www.w3.org/2000/svg}"


def test_the_story_holds_is_reported_to_machines_and_is_the_one_of_the_picture(
    deployment, tmp_path
):
    picture = tmp_path / "dashboard.svg"
    result = CliRunner().invoke(app, ["drill", "--format", "jsonl", "--dashboard", str(picture)])

    assert result.exit_code == 0, result.output
    chapters = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(chapters) == len(STORY)
    assert all(chapter["holds"] for chapter in chapters)
    drawn = picture.read_text() == PICTURE.read_text()
    assert drawn, f"run guardctl drill --dashboard {PICTURE.relative_to(ROOT)}"


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
