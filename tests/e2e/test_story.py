"""The whole story, with the functions as SAM built them under AWS's Runtime Interface Emulator."""

import pytest

from emulator import Cloud
from guardctl.drill.play import play
from guardctl.drill.stage import Stage
from guardctl.drill.story import STORY


@pytest.mark.e2e
def test_the_story_holds_under_lambdas_own_runtime(deployment):
    with Cloud.start(parameters={"Mode": "remediate"}, runtime="lambda") as cloud:
        chapters = list(play(Stage(cloud), STORY))

    failed = [check for one in chapters for check in one.checks if not check.holds]
    assert failed == []
    assert len(chapters) == len([one for one in STORY if not one.deploys])
