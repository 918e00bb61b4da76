"""ministack, an emulator of AWS that this project did not write, in a process of its own.

https://github.com/ministackorg/ministack, MIT. It runs the functions as SAM built them, with their
layers, in processes of its environment's Python. Three things are put right for it, because they
are AWS's part and not the stack's: see `Second.as_aws_would` and `judgeable`, and
APPROVED_POLICIES_DIR, since it has no /opt to put a layer in.
"""

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError

from emulator.templates import parse as parse_template
from tests.template.stack import ACCOUNT, REGION, ROOT

MINISTACK = ROOT / ".venv-ministack" / "bin" / "ministack"
SAM = ROOT / ".venv-sam" / "bin" / "sam"
BUILT = ROOT / ".aws-sam" / "build" / "template.yaml"
POLICIES = ROOT / "layers" / "approved_policies" / "endpoint_policies"
STACK = "vpce-guard"


def judgeable(template: Path) -> Path:
    """A copy of the built template beside it, without the alarms by a query: of those ministack
    says that it does not support them, and takes the stack back.
    """
    tree = parse_template(template.read_text())
    tree["Resources"] = {
        name: one
        for name, one in tree["Resources"].items()
        if not (one["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in one["Properties"])
    }
    copy = template.with_name("ministack.json")
    copy.write_text(json.dumps(tree))
    return copy


def until[T](what: str, found: Callable[[], T], seconds: float = 90) -> T:
    """The first answer that is true. Raises AssertionError naming what did not come."""
    end = time.monotonic() + seconds
    while not (answer := found()):
        assert time.monotonic() < end, f"within {seconds:g} s there was no {what}"
        time.sleep(0.5)
    return answer


@dataclass(slots=True)
class Second:
    """The second emulator, and how to reach it."""

    url: str
    folder: Path
    region: str = REGION
    resources: dict[str, str] = field(default_factory=dict[str, str])

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 2}, read_timeout=120),
        )

    def sam(self, *arguments: str) -> str:
        """Run the real SAM CLI on the built template, with the repository's samconfig.toml.

        Returns what it printed; an error shows it.
        """
        environment = {
            "PATH": f"{SAM.parent}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "SAM_CLI_TELEMETRY": "0",
        }
        done = subprocess.run(
            [SAM, *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,  # a question would fail
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout[-4000:]
        return done.stdout

    def deploy(self, **parameters: str) -> str:
        """`sam deploy` with parameters. What is deployed is in `resources` afterwards."""
        overrides = " ".join(f'{name}="{value}"' for name, value in parameters.items())
        answer = self.sam(
            *(
                "deploy",
                "--no-confirm-changeset",
                "--no-progressbar",
                "--no-fail-on-empty-changeset",
            ),
            *(
                "--config-file",
                str(ROOT / "samconfig.toml"),
                "--template-file",
                str(judgeable(BUILT)),
            ),
            *("--stack-name", STACK, "--region", REGION),
            *("--parameter-overrides", overrides),
        )
        pages = self.client("cloudformation").get_paginator("list_stack_resources")
        self.resources = {
            one["LogicalResourceId"]: one["PhysicalResourceId"]
            for page in pages.paginate(StackName=STACK)
            for one in page["StackResourceSummaries"]
        }
        self.as_aws_would()
        return answer

    def as_aws_would(self) -> None:
        """CloudFormation makes a number of the text that a parameter is; ministack hands the text
        on to Lambda, whose poller of all queues then fails at each comparison with it.
        """
        functions = self.client("lambda")
        for one in functions.list_event_source_mappings()["EventSourceMappings"]:
            most = int(one["ScalingConfig"]["MaximumConcurrency"])
            functions.update_event_source_mapping(
                UUID=one["UUID"], ScalingConfig={"MaximumConcurrency": most}
            )

    @property
    def stack(self) -> dict[str, Any]:
        (found,) = self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        return found

    def waiting(self, url: str) -> list[dict[str, Any]]:
        """Take the messages that wait in a queue."""
        sqs = self.client("sqs")
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for one in found:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
        return found


@contextmanager
def running(folder: Path) -> Iterator[Second]:
    """Start ministack on a free loopback port, and end it. Its files are in the folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        "PATH": f"{MINISTACK.parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "APPROVED_POLICIES_DIR": str(POLICIES),
        "CANARY_MINUTES": "0",
    }
    log = folder / "ministack.log"
    with log.open("w") as output:
        process = subprocess.Popen([MINISTACK], env=environment, stdout=output, stderr=output)
    second = Second(f"http://127.0.0.1:{port}", folder)
    try:
        until("answer of ministack", lambda: _answers(second, process, log), 60)
        yield second
    finally:
        process.terminate()
        process.wait(30)


def _answers(second: Second, process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, f"ministack has ended:\n{log.read_text()[-4000:]}"
    try:
        return second.client("sts").get_caller_identity()["Account"] == ACCOUNT
    except (ClientError, EndpointConnectionError):
        return False
