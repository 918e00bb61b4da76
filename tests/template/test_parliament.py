"""What parliament is given to judge, and that nothing passes but what is justified."""

import json
import re
import subprocess
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

import pytest
import yaml

from emulator.deploy import transformed
from tests.template.stack import REGION, ROOT, TEMPLATE, listed

FOLDER = ROOT / "layers" / "approved_policies" / "endpoint_policies"
JUSTIFIED = yaml.safe_load((ROOT / ".parliament.yaml").read_text())
PARLIAMENT = ROOT / ".venv-parliament" / "bin" / "python"  # `make lint` makes it


def script(name: str) -> Any:
    spec = spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LISTED = script("list_policies")
JUDGED = script("judge_policies")
POLICIES = LISTED.policies()


def in_the_template() -> dict[str, Any]:
    """Every resource with a policy, whatever the parameters, as SAM's transform leaves it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        resources = transformed(TEMPLATE, {}, REGION)["Resources"]
    return {
        name: one
        for name, one in resources.items()
        if {"PolicyDocument", "Policies"} & set(one.get("Properties", {}))
    }


def switches(value: Any) -> set[str]:
    """The conditions that decide what is in a policy."""
    if isinstance(value, list):
        return set[str]().union(*map(switches, value))
    if not isinstance(value, dict):
        return set()
    here = {value["Fn::If"][0]} if "Fn::If" in value else set()
    return here.union(*map(switches, value.values()))


def test_every_policy_is_listed_with_all_that_a_parameter_can_put_into_it():
    resources = in_the_template()
    approved = {f"{FOLDER.name}/{path.stem}" for path in FOLDER.glob("*.json")}
    assert set(POLICIES) == set(resources) | approved
    parts = [
        {key: one["Properties"].get(key) for key in ("PolicyDocument", "Policies")}
        for one in resources.values()
    ]
    held = [{one for one in switches(parts) if stack._holds(one)} for stack in LISTED.STACKS]
    assert set().union(*held) == switches(parts)


def test_what_is_listed_has_arns_of_awss_form_and_no_placeholder():
    resources = {
        one
        for document in POLICIES.values()
        for statement in document["Statement"]
        for one in listed(statement["Resource"])
    }
    assert "arn:aws:sqs:" in "".join(resources)
    assert [one for one in resources - {"*"} if not re.match("arn:aws(:[^:]*){3}:.", one)] == []
    assert "${" not in json.dumps(POLICIES)


def test_each_justification_has_a_reason_and_a_policy():
    for one in JUSTIFIED:
        assert set(one) == {"policy", "statement", "issue", "details", "reason"}
        assert one["policy"] in POLICIES
        sids = [statement["Sid"] for statement in POLICIES[one["policy"]]["Statement"]]
        assert one["statement"] in sids


def finding(**changed: str) -> Any:
    usual = {"policy": "Role", "statement": "Read", "issue": "RESOURCE_STAR", "detail": "s3:Get"}
    return JUDGED.Finding(**usual | changed)


def justification(**changed: Any) -> dict[str, Any]:
    usual = finding()._asdict() | {"reason": "There is no narrower resource."}
    return {**usual, "details": [usual.pop("detail")], **changed}


@pytest.mark.parametrize(
    ("found", "justified", "lines"),
    [
        ([], [], []),
        ([finding(), finding()], [justification()], []),
        ([finding()], [justification(details=["s3:*"])], []),
        ([finding()], [], ["Role Read RESOURCE_STAR: s3:Get"]),
        (
            [finding(), finding(statement="Write")],
            [justification()],
            ["Role Write RESOURCE_STAR: s3:Get"],
        ),
        (
            [finding()],
            [justification(details=["s3:Get", "s3:Put"])],
            ["justified and not found: Role Read RESOURCE_STAR: s3:Put"],
        ),
        (
            [finding()],
            [justification(reason="because")],
            ["no reason: Role Read RESOURCE_STAR"],
        ),
        (
            [],
            [{"policy": "Role", "statement": "Read", "details": "s3:Get", "reason": "x"}],
            ["justification 1 lacks, or has wrong: issue, details"],
        ),
        ([], [justification(details=[])], ["justification 1 lacks, or has wrong: details"]),
        ([], [justification(details=[1])], ["justification 1 lacks, or has wrong: details"]),
    ],
)
def test_what_is_found_and_what_is_justified_are_held_to_each_other(
    found: list[Any], justified: list[dict[str, Any]], lines: list[str]
):
    assert JUDGED.unjustified(found, justified) == lines


@pytest.mark.skipif(not PARLIAMENT.exists(), reason="parliament's environment is made by make lint")
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, ""),
        (
            {"Action": "secretsmanager:GetSecretValue", "Resource": "*"},
            "SecretPolicyRole Planted RESOURCE_STAR: secretsmanager:GetSecretValue",
        ),
        (
            {"Action": "sqs:SendMessage", "Resource": "arn:aws:sns:us-east-1:111122223333:topic"},
            "SecretPolicyRole Planted RESOURCE_MISMATCH: sqs:SendMessage",
        ),
        ({"Action": "sqs:SendMassage", "Resource": "*"}, "UNKNOWN_ACTION"),
    ],
)
def test_a_planted_statement_is_found(changed: dict[str, str], said: str):
    policies = json.loads(json.dumps(POLICIES))
    if changed:
        planted = {"Sid": "Planted", "Effect": "Allow", **changed}
        policies["SecretPolicyRole"]["Statement"].append(planted)
    done = subprocess.run(
        [PARLIAMENT, ".ci/judge_policies.py", ".parliament.yaml"],
        cwd=ROOT,
        input=json.dumps(policies),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == (1 if changed else 0), done.stderr
    assert said in done.stderr
