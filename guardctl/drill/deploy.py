"""Two chapters in which a deployment changes what is approved: a policy, and an exception.

They are played on a copy of the repository's layer, so only where the functions run from their
sources: what SAM built is not changed.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from detect_bypass.judge.exceptions import FILE_NAME
from emulator import Caller, Cloud
from emulator.cloud import REGION, ROOT
from emulator.metrics import measured
from emulator.partition import partition_of
from guardctl.drill.chapter import Checks, new_kinds
from guardctl.drill.stage import Stage

NEW = {
    "Sid": "ListToo",
    "Effect": "Allow",
    "Principal": "*",
    "Action": "secretsmanager:ListSecrets",
    "Resource": "*",
}


@contextmanager
def deployed(
    runtime: Literal["inprocess", "lambda"], region: str = REGION, at: datetime | None = None
) -> Iterator[Stage]:
    """The stage: this repository's stack, where it can be with a copy of the layer to change.

    It begins now or, where the functions run in this process, `at` a moment.
    """
    parameters = {"Mode": "remediate"}
    if runtime == "lambda":
        with Cloud.start(parameters, runtime, region=region) as cloud:
            yield Stage(cloud)
        return
    with TemporaryDirectory() as folder:
        root = Path(folder)
        shutil.copytree(ROOT / "layers", root / "layers")
        (root / "functions").symlink_to(ROOT / "functions")
        shutil.copy(ROOT / "template.yaml", root / "template.yaml")
        with Cloud.start(parameters, root=root, region=region, at=at) as cloud:
            yield Stage(cloud, root / "layers" / "approved_policies")


def change_policy(stage: Stage) -> None:
    """After a sweep, which saw the old policy everywhere, one statement more is deployed."""
    stage.cloud.fire_schedule()
    stage.cloud.settle()
    stage.props["ids"] = [
        one["VpcEndpointId"]
        for name in ("shop", "bank")
        for one in stage.endpoints(stage.props[name])
    ]
    path = _layer(stage) / "endpoint_policies" / "own-account.json"
    document = json.loads(path.read_text())
    document["Statement"].append(NEW)
    path.write_text(json.dumps(document))
    stage.cloud.redeploy()
    stage.cloud.pass_time(timedelta(minutes=5))
    stage.props["tried"] = _with_new(stage)
    stage.cloud.pass_time(timedelta(hours=1))


def one_endpoint_tried_it_first(stage: Stage) -> Checks:
    yield "five minutes later one endpoint had the new policy", len(stage.props["tried"]) == 1
    yield (
        "when nobody had been refused there, every endpoint got it",
        _with_new(stage) == stage.props["ids"],
    )
    yield (
        "ops know that it is tried, that it held, and of the endpoint that followed",
        [one for one in new_kinds(stage) if one != "digest"] == ["policy-rollout"] * 3,
    )


def _layer(stage: Stage) -> Path:
    if stage.layer is None:
        raise RuntimeError("this stage has no layer of its own to change")
    return stage.layer


def _with_new(stage: Stage) -> list[str]:
    """The endpoints whose policy has the statement that is new."""
    return [
        one
        for one in stage.props["ids"]
        if NEW["Action"] in [said["Action"] for said in stage.policy(one)["Statement"]]
    ]


def except_caller(stage: Stage) -> None:
    until = stage.cloud.clock.now() + timedelta(days=30)
    exception = {
        "name": "build",
        "owner": "platform@example.com",
        "reason": "Its runners have no VPC yet",
        "expires": until.date().isoformat(),
        "principal": f"{_iam(stage)}:role/build",
    }
    (_layer(stage) / FILE_NAME).write_text(json.dumps({"exceptions": [exception]}))
    stage.cloud.redeploy()
    stage.cloud.settle()
    runner = stage.client("secretsmanager", "build", Caller(kind="role"))
    for _ in range(2):
        runner.get_secret_value(SecretId="ledger")


def _iam(stage: Stage) -> str:
    return f"arn:{partition_of(stage.cloud.region)}:iam::{stage.cloud.account}"


def caller_stays_quiet(stage: Stage) -> Checks:
    yield "no alert", new_kinds(stage) == []
    yield "both reads are counted, by the exception's name", _uses(stage) == {"build": 2}


def _uses(stage: Stage) -> dict[str, float]:
    """How often each exception was used, by the guard's metrics."""
    uses: dict[str, Any] = {}
    for run in stage.cloud.invocations:
        for one in measured(run.output):
            if one.name == "ExceptionUses":
                name = dict(one.dimensions)["Exception"]
                uses[name] = uses.get(name, 0) + sum(one.values)
    return uses
