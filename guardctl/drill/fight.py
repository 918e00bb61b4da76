"""Two chapters about one endpoint's policy: a fight over it, and somebody who rolls it back."""

import json
from datetime import timedelta

from emulator import Caller
from guardctl.drill.chapter import Checks, new_kinds
from guardctl.drill.stage import Stage
from guardctl.rollback import Target, roll_back

TERRAFORM = "APN/1.0 HashiCorp/1.0 Terraform/1.9.5 terraform-provider-aws/5.70.0"


def fight_over_policy(stage: Stage) -> None:
    pipeline = stage.client("ec2", "pipeline", Caller(user_agent=TERRAFORM))
    approved = stage.policy(stage.props["endpoint"])
    narrower = {**approved, "Statement": approved["Statement"][:1]}
    stage.props["seen"] = []
    for _ in range(3):
        pipeline.modify_vpc_endpoint(
            VpcEndpointId=stage.props["endpoint"], PolicyDocument=json.dumps(narrower)
        )
        stage.cloud.pass_time(timedelta(minutes=3))
        stage.props["seen"].append(stage.policy(stage.props["endpoint"]))


def fight_is_ended(stage: Stage) -> Checks:
    approved, seen = stage.props["approved"], stage.props["seen"]
    yield (
        "put back twice more, three times within the hour, and then let go",
        ([one == approved for one in seen] == [True, True, False]),
    )
    published = stage.cloud.findings[stage.props["findings_before"] :]
    paused = [one for one in published if one["kind"] == "enforcement-paused"]
    yield (
        "ops know who fights and with which tool",
        all(part in paused[0]["cause"] for part in ("user/pipeline", "with Terraform")),
    )
    yield (
        "loudly when it began, softly when it drifted",
        ([one["severity"] for one in paused] == ["high", "low"]),
    )
    yield (
        "an hour later the guard took the endpoint up again by itself",
        (stage.policy(stage.props["endpoint"]) == approved),
    )


def roll_policy_back(stage: Stage) -> None:
    book, endpoint = stage.book("olga"), stage.props["endpoint"]
    now = stage.cloud.clock.now()
    changes = list(book.history.latest(endpoint, now))
    stage.props["changes"] = changes
    target = Target(changes[0].before, f"the policy before version {changes[0].number}")
    until = now + timedelta(hours=2)
    stage.props["rolled_back_to"] = json.loads(target.text)
    roll_back(book, book.attached(endpoint), target, until, now)
    stage.cloud.pass_time(timedelta(hours=1, minutes=45))
    stage.props["seen"] = [stage.policy(endpoint)]


def rollback_was_kept(stage: Stage) -> Checks:
    changes = stage.props["changes"]
    yield (
        "the history has every change of the endpoint's policy, and who made it",
        (
            [one.action for one in changes]
            == ["restored", "left alone", *["restored"] * 3, "created"]
            and "user/mallory" in changes[4].who
            and all("user/pipeline" in one.who for one in changes[:4])
        ),
    )
    yield (
        "the earlier policy was written and left alone",
        (stage.props["seen"] == [stage.props["rolled_back_to"]]),
    )
    yield (
        "until the pause was over",
        (stage.policy(stage.props["endpoint"]) == stage.props["approved"]),
    )
    yield "ops were notified of that", new_kinds(stage)[-1:] == ["policy-restored"]
