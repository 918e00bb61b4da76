"""Built functions under AWS's Runtime Interface Emulator: what it hides is reported, what it leaves
is ended.
"""

import os
import time
from pathlib import Path

import pytest

from emulator import Cloud
from emulator.runtime_lambda import NotBuilt, find_rie, read_answer

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = Path(__file__).with_name("small_stack.yaml")

WORK = """
import json, os, sys, time
from pathlib import Path
import extra

started = time.time()


def handler(event, context):
    what = event["do"]
    if what == "raise":
        raise LookupError("nothing here")
    if what == "sleep":
        time.sleep(60)
    if what == "crash":
        os._exit(1)
    if what == "packages":
        import importlib.util as find
        return [name for name in ("moto", "pytest", "boto3") if find.find_spec(name)]
    print(json.dumps({"said": what}))
    return {
        "pid": os.getpid(),
        "time": time.time(),
        "left": context.get_remaining_time_in_millis(),
        "layer": extra.CONTENT,
        "policies": os.environ["APPROVED_POLICIES_DIR"],
        "name": os.environ["AWS_LAMBDA_FUNCTION_NAME"],
        "limit": os.environ.get("LIMIT"),
    }
"""

BUILT = """
Globals:
  Function:
    Layers: [{Ref: ExtraLayer}]
Resources:
  WorkFunction:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: Work, Handler: work.handler}
  AsyncFunction:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: Work, Handler: work.handler}
  ExtraLayer:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: ../../extra}
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("built")
    build = root / ".aws-sam" / "build"
    for folder in (root / "functions", build / "Work"):
        folder.mkdir(parents=True)
        (folder / "work.py").write_text(WORK)
    (root / "extra" / "python").mkdir(parents=True)
    (root / "extra" / "python" / "extra.py").write_text("CONTENT = 'from the layer'\n")
    (build / "template.yaml").write_text(BUILT)
    rie = find_rie(ROOT)
    link = root / rie.relative_to(ROOT)
    link.parent.mkdir(parents=True)
    link.symlink_to(rie)
    return root


@pytest.fixture(scope="module")
def deployed(root):
    with Cloud.start(root=root, template=TEMPLATE, runtime="lambda") as cloud:
        yield cloud


def run(cloud, what):
    return cloud.invoke("WorkFunction", {"do": what})


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


@pytest.mark.e2e
def test_a_function_runs_with_its_layer_and_environment(deployed):
    made = run(deployed, "ask")
    assert made.error is None
    assert made.result["layer"] == "from the layer"
    assert made.result["policies"].endswith("/endpoint_policies")
    assert made.result["name"] == deployed.resource("WorkFunction")
    assert made.result["limit"] == "3"
    assert {"said": "ask"} in made.logs


@pytest.mark.e2e
def test_a_function_stays_warm_until_a_reset(deployed):
    first, second = run(deployed, "ask").result["pid"], run(deployed, "ask").result["pid"]
    assert first == second
    deployed.reset()
    assert run(deployed, "ask").result["pid"] != first
    assert not alive(first)


@pytest.mark.e2e
def test_its_clock_follows_the_clouds(deployed):
    deployed.clock.skip(seconds=7200)
    made = run(deployed, "ask").result
    assert abs(made["time"] - time.time()) < 10
    assert 10_000 < made["left"] <= 20_500


@pytest.mark.e2e
def test_it_sees_none_of_this_environments_packages(deployed):
    assert run(deployed, "packages").result == []


@pytest.mark.e2e
def test_what_it_raises_is_an_error_although_the_emulator_says_200(deployed):
    made = run(deployed, "raise")
    assert (made.error, made.error_type) == ("nothing here", "LookupError")
    assert run(deployed, "ask").error is None


@pytest.mark.e2e
def test_a_crash_is_an_error_and_the_next_call_a_new_process(deployed):
    assert run(deployed, "crash").error is not None
    assert run(deployed, "ask").error is None


@pytest.mark.e2e
def test_a_build_of_other_code_is_refused(root):
    (root / "functions" / "work.py").write_text(WORK + "\n# changed since\n")
    try:
        with pytest.raises(NotBuilt, match="not of this code"):
            Cloud.start(root=root, template=TEMPLATE, runtime="lambda")
    finally:
        (root / "functions" / "work.py").write_text(WORK)


def test_without_a_build_it_is_said_how_to_get_one(tmp_path):
    with pytest.raises(NotBuilt, match="make build"):
        Cloud.start(root=tmp_path, template=TEMPLATE, runtime="lambda")


@pytest.mark.parametrize(
    ("status", "body", "error_type", "result"),
    [
        (200, '{"batchItemFailures": []}', None, {"batchItemFailures": []}),
        (200, "null", None, None),
        (200, "", None, None),
        (200, '"text"', None, "text"),
        (200, '{"errorMessage": "no", "errorType": "KeyError"}', "KeyError", None),
        (
            200,
            '{"errorMessage": "a field of a result"}',
            None,
            {"errorMessage": "a field of a result"},
        ),
        (200, "Task timed out after 3.00 seconds", "Sandbox.Timedout", None),
        (200, "not JSON", "Sandbox.Crashed", None),
        (502, '{"errorMessage": "x", "errorType": "Runtime.ExitError"}', "Runtime.ExitError", None),
        (502, "bad gateway", "Sandbox.Crashed", None),
        (0, "no answer: refused", "Sandbox.Crashed", None),
    ],
)
def test_the_emulators_answers(status, body, error_type, result):
    outcome = read_answer(status, body, [])
    assert (outcome.error_type, outcome.result) == (error_type, result)
    assert (outcome.error is None) == (error_type is None)
