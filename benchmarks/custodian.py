"""Cloud Custodian's Lambda handler with a policy on VPC endpoints, for comparison.

The policy's function as Custodian lays it out ("Lambda Support", cloudcustodian.io): `c7n`, and the
policy in config.json. It is asked the question that restore_policy is asked, about an endpoint that
was created: it reads the endpoint and finds that the policy's filter does not match.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.recording import Answer, Playback
from benchmarks.sandbox import ROOT, Artefact, first_invocation
from emulator.wire import ApiResponse

CALLS = 1
EVENT = ROOT / "events" / "endpoint-change.create-endpoint.json"
HANDLER = """
from c7n import handler


def run(event, context):
    return handler.dispatch_event(event, context)
"""
VALUE = {"type": "value", "key": "VpcEndpointType", "value": "Gateway"}
POLICY = {
    "name": "secretsmanager-endpoints",
    "resource": "vpc-endpoint",
    "mode": {
        "type": "cloudtrail",
        "role": "arn:aws:iam::111122223333:role/custodian",
        "events": [
            {
                "source": "ec2.amazonaws.com",
                "event": "CreateVpcEndpoint",
                "ids": "responseElements.CreateVpcEndpointResponse.vpcEndpoint.vpcEndpointId",
            }
        ],
    },
    "filters": [VALUE],
}
ENDPOINT = """<DescribeVpcEndpointsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
<requestId>r</requestId><vpcEndpointSet><item><vpcEndpointId>{id}</vpcEndpointId>
<vpcEndpointType>Interface</vpcEndpointType><vpcId>vpc-0a1b2c3d4e5f60718</vpcId>
<serviceName>com.amazonaws.us-east-1.secretsmanager</serviceName><state>available</state>
<ownerId>111122223333</ownerId></item></vpcEndpointSet></DescribeVpcEndpointsResponse>"""


def artefact(folder: Path, url: str) -> Artefact | str:
    """Custodian's function, in an environment that uv makes; or why there is none."""
    environment = ROOT / ".venv-custodian"
    own = ROOT / ".tools" / "uv" / "bin" / "uv"
    uv = str(own) if own.exists() else shutil.which("uv")
    if uv is None:
        return "Cloud Custodian is left out: there is no uv here; make setup brings one"
    command = [uv, "sync", "--frozen", "--quiet", "--only-group", "custodian"]
    done = subprocess.run(  # noqa: S603 - the command is all ours
        command,
        cwd=ROOT,
        env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(environment)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return f"Cloud Custodian is left out: uv cannot fetch it: {done.stderr.strip()}"
    (site,) = environment.glob("lib/python*/site-packages")
    compile_ = [sys.executable, "-m", "compileall", "-q", str(site)]
    subprocess.run(compile_, check=False, capture_output=True)  # noqa: S603 - the same
    task = folder / "custodian"
    task.mkdir()
    (task / "custodian_policy.py").write_text(HANDLER)
    configuration = {
        "execution-options": {"account_id": "111122223333"},
        "policies": [POLICY],
    }
    (task / "config.json").write_text(json.dumps(configuration))
    variables = {
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "ASIABENCHMARK0000000",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_ENDPOINT_URL": url,
    }
    return Artefact(task, "custodian_policy.run", [site], variables)


def start(custodian: Artefact, playback: Playback, runtime: Path) -> float:
    """One cold start. Exits where Custodian did not read the endpoint."""
    event = json.loads(EVENT.read_text())
    answer = event["detail"]["responseElements"]["CreateVpcEndpointResponse"]
    body = ENDPOINT.format(id=answer["vpcEndpoint"]["vpcEndpointId"])
    answer = ApiResponse(200, [("Content-Type", "text/xml")], body.encode())
    playback.load([Answer(answer, time.time())])
    seconds = first_invocation(custodian, event, runtime)
    if not playback.as_recorded:
        sys.exit("Cloud Custodian did not ask for the endpoint")
    return seconds
