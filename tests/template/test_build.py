"""What SAM builds holds all that the functions need, although most of botocore is left out."""

import ast
import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml
from botocore import UNSIGNED
from botocore.config import Config
from botocore.loaders import Loader
from botocore.model import Shape

from layers.dependencies.find_operations import LISTED, find
from layers.dependencies.lean import typing_extensions
from layers.dependencies.trim import UNUSED, remove, trim_data, trim_handlers
from tests.template.stack import REGION, ROOT, written
from tests.template.test_functions import FILES, variables_of

OPERATIONS: dict[str, list[str]] = json.loads(LISTED.read_text())
WHOLE = Path(botocore.session.__file__).parent / "data"


def test_the_operations_listed_are_those_in_the_code():
    assert find(ROOT / "functions") == OPERATIONS, "run make operations"


def test_calls_paginators_waiters_and_actions_are_found(tmp_path: Path):
    (tmp_path / "code.py").write_text(
        '"""Does things.\n\nIAM: sns:Publish, sqs:SendMessage."""\n'
        'ec2 = boto3.client("ec2", config=config)\n'
        'sns = client("sns")\n'
        "ec2.create_vpc(CidrBlock=block)\n"
        'ec2.get_paginator("describe_subnets")\n'
        'getattr(ec2, "delete_vpc")()\n'
    )
    assert find(tmp_path) == {
        "ec2": ["CreateVpc", "DeleteVpc", "DescribeSubnets"],
        "sns": ["Publish"],
    }


# --- the models -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trimmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data that the layer would have."""
    data = tmp_path_factory.mktemp("data")
    for name in (*OPERATIONS, "iam"):
        shutil.copytree(WHOLE / name, data / name)
    for path in WHOLE.glob("*.json"):
        shutil.copy(path, data)
    trim_data(data, OPERATIONS)
    return data


def session(data: Path) -> Any:
    one = botocore.session.Session()
    loader = Loader(extra_search_paths=[str(data)], include_default_search_paths=False)
    one.register_component("data_loader", loader)
    return one


def reported(shape: Shape | None, above: tuple[str, ...] = ()) -> Any:
    """All that a shape says of itself and of those below it, but its documentation."""
    if shape is None or shape.name in above:
        return shape and shape.name
    above = (*above, shape.name)
    members: dict[str, Any] = {
        name: reported(one, above) for name, one in getattr(shape, "members", {}).items()
    }
    for part in ("member", "key", "value"):
        if hasattr(shape, part):
            members[part] = reported(getattr(shape, part), above)
    metadata = {key: value for key, value in shape.metadata.items() if key != "documentation"}
    return shape.type_name, metadata, shape.serialization, members


@pytest.mark.parametrize("service", OPERATIONS)
def test_what_is_left_of_a_model_says_the_same(trimmed: Path, service: str):
    left, whole = (session(data).get_service_model(service) for data in (trimmed, WHOLE))
    assert left.operation_names == OPERATIONS[service]
    assert left.metadata == whole.metadata
    for name in OPERATIONS[service]:
        one, other = left.operation_model(name), whole.operation_model(name)
        assert reported(one.input_shape) == reported(other.input_shape)
        assert reported(one.output_shape) == reported(other.output_shape)
        assert [reported(shape) for shape in one.error_shapes] == [
            reported(shape) for shape in other.error_shapes
        ]
        assert (one.http, one.auth_type) == (other.http, other.auth_type)


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-2", "cn-north-1", "us-gov-west-1"])
@pytest.mark.parametrize("service", OPERATIONS)
def test_clients_reach_the_same_address_and_page_alike(trimmed: Path, service: str, region: str):
    config = Config(signature_version=UNSIGNED)
    left, whole = (
        session(data).create_client(service, region_name=region, config=config)
        for data in (trimmed, WHOLE)
    )
    assert left.meta.endpoint_url == whole.meta.endpoint_url
    for name in left.meta.method_to_api_mapping:
        assert left.can_paginate(name) == whole.can_paginate(name)


def test_hooks_of_other_services_are_not_registered(trimmed: Path, tmp_path: Path):
    shutil.copytree(trimmed, tmp_path / "data")
    file = tmp_path / "handlers.py"
    shutil.copy(WHOLE.parent / "handlers.py", file)
    trim_handlers(tmp_path, OPERATIONS)
    spec = importlib.util.spec_from_file_location("trimmed_handlers", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    left = {one[0] for one in module.BUILTIN_HANDLERS}
    assert {"before-parameter-build.route53", "after-call.sqs.*", "before-call"} <= left
    assert {"choose-signer", "request-created", "before-parameter-build"} <= left
    assert [
        one for one in left if one.startswith("docs") or ".glacier" in one or ".rds" in one
    ] == []


def test_nothing_else_is_left(trimmed: Path):
    assert {path.name for path in trimmed.iterdir() if path.is_dir()} == set(OPERATIONS)
    sizes = [path.stat().st_size for path in trimmed.rglob("*") if path.is_file()]
    assert sum(sizes) < 1_500_000


def test_a_service_or_operation_that_botocore_lacks_ends_the_build(tmp_path: Path):
    shutil.copytree(WHOLE / "sns", tmp_path / "sns")
    shutil.copy(WHOLE / "endpoints.json", tmp_path)
    with pytest.raises(KeyError, match="PublishTwice"):
        trim_data(tmp_path, {"sns": ["PublishTwice"]})
    with pytest.raises(KeyError, match="sms"):
        trim_data(tmp_path, {"sms": []})


# --- packages and bytecode ------------------------------------------------------------------------


def imports(path: Path) -> set[str]:
    """The modules that a file names in its imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
    return found


def test_no_function_imports_what_is_taken_out():
    out = [name.replace("/", ".") for name in UNUSED if "*" not in name]
    used = {name for path in (ROOT / "functions").rglob("*.py") for name in imports(path)}
    assert [
        (name, gone)
        for name in sorted(used)
        for gone in out
        if name == gone or name.startswith(f"{gone}.")
    ] == []


def test_typing_extensions_has_what_the_packages_left_ask_for():
    """The layer has a lean one in its place."""
    site = Path(botocore.session.__file__).parents[1]
    asked: set[str] = set()
    for package in (
        "aws_lambda_powertools",
        "boto3",
        "botocore",
        "jmespath",
        "s3transfer",
        "urllib3",
    ):
        for path in (site / package).rglob("*.py"):
            if any(path.match(f"{gone}/**/*.py") or path.match(f"*/{gone}/*") for gone in UNUSED):
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom) and node.module == "typing_extensions":
                    asked |= {one.name for one in node.names}
    assert asked <= set(typing_extensions.__all__)


HEAVY = (
    "boto3",
    "s3transfer",
    "slack_sdk",
    "pydantic",
    "aws_xray_sdk",
    "asyncio",
    "multiprocessing",
)
# What only some records need, and those that rarely start a function are.
LATER = {
    "detect_bypass": {
        "guard.endpoint.decide",
        "guard.endpoint.observe",
        "detect_bypass.caller",
        "guard.policy",
        "guard.table.deferred",
    },
    "notify_slack": {
        "digest.findings",
        "notify_slack.bot",
        "guard.table.deferred",
    },
}
IMPORTED = "import importlib, sys; importlib.import_module(sys.argv[1]); print(*sys.modules)"


@pytest.mark.parametrize("name", FILES)
def test_nothing_heavy_is_imported_at_a_start(name: str):
    variables = {key: str(value) for key, value in variables_of(name).items()}
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, FILES[name]],
        cwd=ROOT,
        env={"AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, "PYTHONPATH": "functions"}
        | variables,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    later = LATER.get(FILES[name], set[str]())
    assert all(importlib.util.find_spec(one) for one in later)
    assert {*HEAVY, *later} & set(done.stdout.split()) == set()


def test_a_name_that_is_no_longer_there_ends_the_build(tmp_path: Path):
    (tmp_path / "slack").mkdir()
    remove(tmp_path, ["slack"])
    with pytest.raises(FileNotFoundError, match="slack"):
        remove(tmp_path, ["slack"])


def test_every_function_and_the_layer_of_packages_is_built_by_its_makefile():
    methods = {
        name: one.get("Metadata", {}).get("BuildMethod")
        for name, one in written()["Resources"].items()
        if one["Type"] == "AWS::Serverless::Function" or name == "DependenciesLayer"
    }
    assert set(methods.values()) == {"makefile"}, methods


BUILT = ROOT / ".aws-sam" / "build" / "template.yaml"


@pytest.mark.skipif(not BUILT.exists(), reason="make build makes it, as make test does first")
def test_nothing_that_cloudformation_refuses_is_left_in_the_built_template():
    """It takes no anchors, aliases and merge keys: SAM writes out those of template.yaml."""
    marks = (yaml.AnchorToken, yaml.AliasToken)
    in_source = list(yaml.scan((ROOT / "template.yaml").read_text()))
    in_build = list(yaml.scan(BUILT.read_text()))
    assert any(isinstance(one, marks) for one in in_source)
    assert not any(isinstance(one, marks) for one in in_build)
    assert "<<" not in {one.value for one in in_build if isinstance(one, yaml.ScalarToken)}


def test_what_is_merged_is_never_overridden():
    """Tools differ in which of the two they take, and checkov takes neither."""

    def overridden(node: yaml.Node) -> Iterator[str]:
        if isinstance(node, yaml.MappingNode):
            keys = list(keys_of(node))
            yield from (
                f"{key} at line {node.start_mark.line}" for key in keys if keys.count(key) > 1
            )
        inner = node.value if isinstance(node, yaml.CollectionNode) else []
        for one in inner:
            for part in one if isinstance(one, tuple) else (one,):
                yield from overridden(part)

    def keys_of(node: yaml.MappingNode) -> Iterator[str]:
        for key, value in node.value:
            if key.value == "<<":
                yield from keys_of(value)
            else:
                yield str(key.value)

    assert list(overridden(yaml.compose((ROOT / "template.yaml").read_text()))) == []
