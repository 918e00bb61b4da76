"""Chapters of what may be read from inside alone, and of who is refused at the endpoint."""

import json
from collections.abc import Iterator
from typing import Any

from emulator import Caller
from guardctl.drill.stage import Stage

READ = {"Action": "secretsmanager:GetSecretValue", "Resource": "*"}
NAME = "payroll"


def open_perimeter(stage: Stage) -> None:
    """A developer binds a secret to the perimeter; mallory leaves nothing but who may read it."""
    secrets = stage.client("secretsmanager", "dev", _inside(stage))
    account = stage.cloud.account
    reader = {"Effect": "Allow", "Principal": {"AWS": account}, **READ}
    where = {"StringNotEquals": {"aws:SourceVpc": [stage.props["shop"], stage.props["bank"]]}}
    closed = {"Effect": "Deny", "Principal": "*", **READ, "Condition": where}
    tags = [{"Key": "vpce-guard:perimeter", "Value": "true"}]
    secrets.create_secret(Name=NAME, SecretString="correct horse", Tags=tags)
    secrets.put_resource_policy(SecretId=NAME, ResourcePolicy=_document(reader, closed))
    stage.cloud.lose_events()  # as it had been for long
    mallory = stage.client("secretsmanager", "mallory", _inside(stage))
    mallory.put_resource_policy(SecretId=NAME, ResourcePolicy=_document(reader))
    stage.props["reader"] = reader


def opening_is_published(stage: Stage) -> Iterator[tuple[str, bool]]:
    published = stage.cloud.findings[stage.props["findings_before"] :]
    (finding,) = [one for one in published if one["kind"] == "secret-perimeter-lost"] or [{}]
    evidence: dict[str, Any] = finding.get("evidence", {})
    yield (
        "ops know that it can be read over the internet, and who did it",
        "a request over the internet is not denied" in evidence.get("gaps", [])
        and "user/mallory" in evidence.get("seen", ""),
    )
    yield "and what AWS warns of before it is put right", bool(evidence.get("aws_warns"))
    statements = json.loads(evidence.get("policy_corrected", '{"Statement": []}'))["Statement"]
    yield (
        "the corrected policy is attached: every other statement is kept",
        len(statements) == 2 and statements[0] == stage.props["reader"],
    )
    put = stage.client("secretsmanager", "dev", _inside(stage)).get_resource_policy(SecretId=NAME)
    yield (
        "nothing was written: that is for SecretPerimeter to say",
        json.loads(put["ResourcePolicy"])["Statement"] == [stage.props["reader"]],
    )


def ask_through_endpoint(stage: Stage) -> None:
    """Somebody on a host of the VPC asks by hand for what the endpoint's policy refuses."""
    endpoint = stage.props["endpoint"]
    by_hand = Caller(source_ip="10.20.0.99")
    stage.cloud.inject(stage.cloud.denied_at_endpoint("trudy", endpoint, caller=by_hand))


def refusal_is_published(stage: Stage) -> Iterator[tuple[str, bool]]:
    published = stage.cloud.findings[stage.props["findings_before"] :]
    yield "ops were notified once", [one["kind"] for one in published] == ["endpoint-denied"]
    text = json.dumps(published)
    yield (
        "who was refused, from which address, and by which endpoint",
        all(part in text for part in ("user/trudy", "10.20.0.99", stage.props["endpoint"])),
    )
    yield "and which approved policy refused it", "own-account" in text
    yield "at once: a person asked for a value", [one["severity"] for one in published] == ["high"]


def _inside(stage: Stage) -> Caller:
    return Caller(vpc_endpoint_id=stage.props["endpoint"], source_ip="10.20.0.77")


def _document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
