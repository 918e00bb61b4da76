"""`guardctl acceptance` against the embedded cloud, over HTTP.

In this process its waits pass virtual time, so that a run takes seconds; in a process of its own
time is real.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, override

import pytest
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from typer.testing import CliRunner

from emulator import Cloud
from guardctl.__main__ import app
from guardctl.acceptance import command
from guardctl.acceptance.polling import Polling

OPERATOR = "olga"


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def chapters(self) -> list[dict[str, Any]]:
        return [one for one in self._lines() if "title" in one]

    @property
    def report(self) -> dict[str, Any]:
        return self._lines()[-1]

    def _lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stdout.splitlines()]


@dataclass(frozen=True)
class Operator:
    """Somebody who runs the command in the cloud's account."""

    cloud: Cloud
    patch: pytest.MonkeyPatch

    def run(self, *options: str, account: str = "", region: str = "") -> Ended:
        """Run it in this process, on virtual time. Nobody is there to be asked."""
        for name, value in self._keys().items():
            self.patch.setenv(name, value)
        self.patch.setattr(command, "Polling", pace_of(self.cloud))
        found = CliRunner().invoke(app, self._arguments(account, region, *options))
        if found.exception and not isinstance(found.exception, SystemExit):
            raise found.exception
        return Ended(found.exit_code, found.stdout, found.stderr)

    def run_apart(self, when: Callable[[], bool], signal: int) -> Ended:
        """Run it in a process of its own that gets the `signal` once `when` holds."""
        process = subprocess.Popen(
            [sys.executable, "-m", "guardctl", *self._arguments("", "", "--yes")],
            env=os.environ | self._keys(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            while process.poll() is None and not when():
                time.sleep(0.05)
            assert process.poll() is None, "it ended before the signal could be sent"
            process.send_signal(signal)
            stdout, stderr = process.communicate(timeout=120)
        finally:
            process.kill()
            process.wait()
        return Ended(process.returncode, stdout, stderr)

    def calls(self) -> list[str]:
        """What the operator has called, as IAM names it."""
        calls = list(self.cloud.calls)
        return [one.iam_action for one in calls if one.principal.endswith(f"user/{OPERATOR}")]

    @contextmanager
    def during(self, action: str, do: Callable[[], None]) -> Iterator[None]:
        """Within, `do` it once while the operator waits for the answer to this call."""
        server, done = self.cloud._server._server, []
        app = server.app

        def serve(environ: Any, start_response: Any) -> Any:
            answer = app(environ, start_response)
            if not done and action in self.calls()[-1:]:
                done.append(True)
                do()
            return answer

        server.app = serve
        try:
            yield
        finally:
            server.app = app
        assert done, f"nobody called {action}"

    def _arguments(self, account: str, region: str, *options: str) -> list[str]:
        account, region = account or self.cloud.account, region or self.cloud.region
        place = ["--account", account, "--region", region]
        return ["acceptance", "--format", "jsonl", *place, *options]

    def _keys(self) -> dict[str, str]:
        keys = self.cloud.session(OPERATOR).get_credentials()
        assert keys is not None
        return {"AWS_ACCESS_KEY_ID": keys.access_key, "AWS_SECRET_ACCESS_KEY": keys.secret_key}


def pace_of(cloud: Cloud) -> type[Polling]:
    """A polling whose waits let the cloud's time pass, and do there what comes due."""

    class Passing(Polling):
        @override
        def now(self) -> float:
            return cloud.clock.now().timestamp()

        @override
        def wait(self, seconds: float) -> None:
            self.stop.check()
            cloud.pass_time(timedelta(seconds=seconds))
            self.stop.check()

    return Passing


def held(cloud: Cloud) -> dict[str, list[str]]:
    """What is in the account beside the stack, by kind; nothing that was deleted."""
    client = cloud.session("auditor").client
    ec2 = ec2_backends[cloud.account][cloud.region]
    topic = cloud.resource("FindingsTopic")
    ours = {one.name for one in cloud.deployment.functions.values()}
    pages = client("lambda").get_paginator("list_functions").paginate()
    names = [one["FunctionName"] for page in pages for one in page["Functions"]]
    subscribed = client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    return {
        "vpcs": list(ec2.vpcs),
        "subnets": [one for zone in ec2.subnets.values() for one in zone],
        "groups": [one for groups in ec2.groups.values() for one in groups],
        "interfaces": list(ec2.enis),
        "endpoints": [one.id for one in ec2.vpc_end_points.values() if one.state != "deleted"],
        "secrets": [one["Name"] for one in client("secretsmanager").list_secrets()["SecretList"]],
        "functions": [name for name in names if name not in ours],
        "roles": [one.name for one in iam_backends[cloud.account]["aws"].roles.values()],
        "queues": client("sqs").list_queues().get("QueueUrls", []),
        "subscriptions": [one["Endpoint"] for one in subscribed],
    }


def held_by_lambda(cloud: Cloud, interface: str, span: timedelta, roles: list[bool]) -> None:
    """EC2 shows the interface as in use for so long, and Lambda then deletes it: with the
    function's role, which must be there; `roles` is given whether it was.
    """
    ec2, until = ec2_backends[cloud.account][cloud.region], cloud.clock.now() + span
    iam = iam_backends[cloud.account]["aws"]

    class Held(type(ec2.enis[interface])):
        @property
        def status(self) -> str:
            if cloud.clock.now() < until:
                return "in-use"
            roles.append(any(one.name.endswith("-rotation") for one in iam.roles.values()))
            return "available"

    ec2.enis[interface].__class__ = Held
