"""The drill holds, and it notices when any one of the reactions does nothing.

`DRILLS=all` idles each of the reactions (`make nightly`); else two of them.
"""

import json
import os
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from emulator.runtime import Outcome
from guardctl.__main__ import app
from guardctl.drill.deploy import deployed
from guardctl.drill.picture import draw
from guardctl.drill.play import play
from guardctl.drill.story import STORY
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


def test_the_dashboard_is_drawn_with_what_was_measured(cloud):
    Account(cloud).secret("prod/db")
    cloud.settle()
    picture = draw(cloud)
    titles = [one.text for one in ElementTree.fromstring(picture).iter(f"{SVG}text")]  # noqa: S314
    assert "Requests by verdict" in titles
    place = titles.index("Bypasses")
    assert titles[place + 1] == "1"
    assert "bypass" in titles  # of the alerts, by kind
