"""The commands: start the account, and do in it what the guard must notice.

ministack sends no CloudTrail records to its event bus, so what is broken here is also put into the
guard's queues, in the words that CloudTrail would use.
"""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import boto3
import typer
from botocore.exceptions import ClientError

from guardctl.errors import Failed

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-ministack" / "bin" / "python"
POLICIES = ROOT / "layers" / "approved_policies" / "endpoint_policies"
ACCOUNT, REGION, STACK, QUEUE = "123456789012", "us-east-1", "vpce-guard", "playground"
NOTICED = 60  # seconds, for which a function remembers the mode
SAMPLED = "111122223333", "eu-west-1"  # account and Region of the samples
EVERYTHING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}],
}
Port = Annotated[int, typer.Option(help="The port of the loopback interface.")]
Endpoint = Annotated[str, typer.Argument(metavar="ENDPOINT")]

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)


@app.command()
def start(port: Port = 4566) -> None:
    """Run the emulated account until Ctrl-C. Nothing of it is kept."""
    if _answers(port):
        raise Failed(f"port {port} is taken", f"make playground PORT={port + 1}")
    environment = {
        "PATH": f"{PYTHON.parent}:{os.environ['PATH']}",
        "HOME": os.environ.get("HOME", "/"),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "APPROVED_POLICIES_DIR": str(POLICIES),
        "CANARY_MINUTES": "0",
        "LOG_LEVEL": "ERROR",
    }
    # Also where a shell started it in the background, which ignores Ctrl-C for it; and for `kill`.
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, signal.default_int_handler)
    emulated = Path(__file__).with_name("emulated.py")
    process = subprocess.Popen([PYTHON, emulated], env=environment)  # noqa: S603 - our own
    try:
        _announce(process, port)
        process.wait()
    except KeyboardInterrupt:
        process.terminate()
        process.wait()


def _announce(process: "subprocess.Popen[bytes]", port: int) -> None:
    """Say what to run, once the account answers: what is run before that fails."""
    while not _answers(port):
        if process.poll() is not None:
            raise Failed("the emulator ended", "its words are above")
        time.sleep(0.2)
    typer.echo("An empty AWS account, until Ctrl-C. In a second terminal, in this folder, run:\n")
    for name, value in _environment(port).items():
        typer.echo(f"  export {name}={value}")
    typer.echo("  make deploy\n\nand go on with docs/trying.md.", nl=True)


def _answers(port: int) -> bool:
    with socket.socket() as tried:
        return not tried.connect_ex(("127.0.0.1", port))


@app.command()
def vpc() -> None:
    """Create a VPC with two subnets, as an application's would be, and let the sweep find it."""
    ec2 = _client("ec2")
    made = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    for name in ("EnableDnsSupport", "EnableDnsHostnames"):
        ec2.modify_vpc_attribute(VpcId=made, **{name: {"Value": True}})
    for number, zone in enumerate(("a", "b")):
        block = f"10.9.{number}.0/24"
        ec2.create_subnet(VpcId=made, CidrBlock=block, AvailabilityZone=f"{REGION}{zone}")
    typer.echo(f"created {made}")
    sweep()


@app.command()
def sweep() -> None:
    """Run the sweep now, which would come every six hours, and print what it led to."""
    _settle()
    typer.echo("the sweep runs; its alerts come within half a minute")
    _client("lambda").invoke(FunctionName=_resource("SweepFunction"), Payload=b"{}")
    alerts()
    for one in _endpoints():
        typer.echo(f"{one['VpcEndpointId']} in {one['VpcId']}, {one['State']}")


@app.command("open")
def open_(endpoint: Endpoint) -> None:
    """Break something: let the endpoint's policy allow everything to everyone."""
    _settle()
    text = json.dumps(EVERYTHING)
    _client("ec2").modify_vpc_endpoint(VpcEndpointId=endpoint, PolicyDocument=text)
    request = {"VpcEndpointId": endpoint, "PolicyDocument": text}
    _hand_over(
        "PolicyQueue", "endpoint-change.modify-policy", {"ModifyVpcEndpointRequest": request}
    )
    typer.echo(f"the policy of {endpoint} allows everything to everyone")
    alerts()


@app.command()
def read() -> None:
    """Break something: read a secret over the internet, past every endpoint."""
    _settle()
    _hand_over("DetectionQueue", "bypass.get-secret-value-over-internet", None)
    typer.echo("somebody reads a secret over the internet")
    alerts()


@app.command()
def policy(endpoint: Endpoint) -> None:
    """Print the policy that an endpoint has now."""
    (found,) = (one for one in _endpoints() if one["VpcEndpointId"] == endpoint)
    typer.echo(json.dumps(json.loads(found["PolicyDocument"]), indent=2))


@app.command()
def mode(value: Annotated[str, typer.Argument(metavar="observe|remediate")]) -> None:
    """Switch the guard's mode, as the command in the stack's outputs does."""
    name = _resource("ModeParameter")
    _client("ssm").put_parameter(Name=name, Value=value, Overwrite=True)
    typer.echo(f"the mode is {value}; the functions read it within a minute, so this waits for one")
    time.sleep(NOTICED)


@app.command()
def alerts(seconds: Annotated[int, typer.Option(help="How long to wait for one.")] = 30) -> None:
    """Print the alerts that came since the last time, as whoever is subscribed gets them."""
    url = _listens()
    end = time.monotonic() + seconds
    found = list(_heard(url))
    while not found and time.monotonic() < end:
        time.sleep(1)
        found = list(_heard(url))
    time.sleep(2)  # what belongs together comes together
    for one in [*found, *_heard(url)]:
        _print(one)
    if not found:
        typer.echo(
            "no alert within half a minute (what is of low severity waits for the hourly digest)"
        )


def _print(finding: dict[str, Any]) -> None:
    typer.echo(f"\nALERT, {finding['severity']}: {finding['title']}")
    typer.echo(f"  why: {finding['cause']}")
    typer.echo("  what to do:")
    for step in finding["todo"]:
        typer.echo(f"  - {step}")
    typer.echo(f"  runbook: docs/runbooks/{finding['kind']}.md\n")


def _settle() -> None:
    """Print what came since the last command, so that it is not taken for what comes next."""
    for one in _heard(_listens()):
        typer.echo("before this command came:")
        _print(one)


def _heard(url: str) -> Iterator[dict[str, Any]]:
    sqs = _client("sqs")
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for one in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
            yield json.loads(one["Body"])


def _listens() -> str:
    """The URL of a queue that is subscribed to the findings."""
    url = _client("sqs").create_queue(QueueName=QUEUE)["QueueUrl"]
    _client("sns").subscribe(
        TopicArn=_resource("FindingsTopic"),
        Protocol="sqs",
        Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:{QUEUE}",
        Attributes={"RawMessageDelivery": "true"},
    )
    return url


def _hand_over(queue: str, sample: str, request: dict[str, Any] | None) -> None:
    """Hand a record to the guard as a rule does; it happened now."""
    text = (ROOT / "events" / f"{sample}.json").read_text()
    envelope = json.loads(text.replace(SAMPLED[0], ACCOUNT).replace(SAMPLED[1], REGION))
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    envelope |= {"id": str(uuid4()), "time": now}
    envelope["detail"] |= {"eventID": str(uuid4()), "eventTime": now}
    if request:
        envelope["detail"]["requestParameters"] = request
    _client("sqs").send_message(QueueUrl=_resource(queue), MessageBody=json.dumps(envelope))


def _endpoints() -> list[dict[str, Any]]:
    found = _client("ec2").describe_vpc_endpoints()["VpcEndpoints"]
    return [one for one in found if one["ServiceName"].endswith(".secretsmanager")]


def _resource(name: str) -> str:
    """The physical id of one of the stack's resources."""
    try:
        found = _client("cloudformation").describe_stack_resource(
            StackName=STACK, LogicalResourceId=name
        )
    except ClientError as error:
        raise Failed(f"there is no stack {STACK}, or it is not complete", "make deploy") from error
    return found["StackResourceDetail"]["PhysicalResourceId"]


def _environment(port: int) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
    }


def _client(service: str) -> Any:
    """Of the emulated account, and of no other: a real one is not to be broken."""
    url = os.environ.get("AWS_ENDPOINT_URL", "")
    if not url.startswith("http://127.0.0.1:"):
        raise Failed("AWS_ENDPOINT_URL is not set", "run the lines that make playground printed")
    make: Callable[..., Any] = boto3.client
    return make(service, endpoint_url=url, region_name=REGION)
