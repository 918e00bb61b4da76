"""A proposal in a folder: its policies, and in twin.json what they rest on."""

import json
from collections.abc import Sequence
from pathlib import Path
from shlex import quote

from guard.approved.policies import NAME
from guardctl.errors import Failed
from guardctl.twin.family import Candidate
from guardctl.twin.scope import Kind, Scope

FILE = "twin.json"
_PUT = "aws secretsmanager put-resource-policy --block-public-policy"
_CREATE = "aws organizations create-policy"


def write(folder: Path, scope: Scope, candidates: Sequence[Candidate]) -> list[Path]:
    """Write a proposal; what an earlier one left there goes. Raises Failed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / FILE).exists():
            for old in _names(folder):
                (folder / f"{old}.json").unlink(missing_ok=True)
        elif any(folder.iterdir()):
            raise Failed(f"{folder} has other files", "name a folder of its own: --into FOLDER")
        for one in candidates:
            (folder / f"{one.name}.json").write_text(one.text + "\n", encoding="utf-8")
        body = {
            "scope": scope.to_json(),
            "policies": [{"name": one.name, "region": one.region} for one in candidates],
        }
        (folder / FILE).write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise Failed(f"{folder}: {error.strerror or error}") from error
    return [folder / f"{one.name}.json" for one in candidates]


def read(folder: Path) -> tuple[Scope, list[Candidate]]:
    """A proposal as it is now: the policies may have been edited. Raises Failed."""
    try:
        body = json.loads((folder / FILE).read_text(encoding="utf-8"))
        scope = Scope.from_json(body["scope"])
        candidates = [_candidate(folder, **one) for one in body["policies"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Failed(
            f"{folder}: no proposal: {error}", "make one: guardctl twin propose"
        ) from error
    return scope, candidates


def _candidate(folder: Path, name: str, region: str) -> Candidate:
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a policy")
    return Candidate(name, (folder / f"{name}.json").read_text(encoding="utf-8"), region)


def _names(folder: Path) -> list[str]:
    return [one.name for one in read(folder)[1]]


def how_to_attach(scope: Scope, files: Sequence[tuple[Path, str]]) -> list[str]:
    """The commands that attach each policy, for a person to run: the guard attaches none."""
    return [line for file, region in files for line in _attach(scope, file, region)]


def _attach(scope: Scope, file: Path, region: str) -> list[str]:
    url, path = quote(f"file://{file}"), quote(str(file))
    match scope.kind:
        case Kind.SECRET:
            return [
                "# it replaces the secret's policy: guardctl suggest-secret-policy keeps the rest",
                f"{_PUT} --region {region} --secret-id SECRET --resource-policy {url}",
            ]
        case Kind.RCP | Kind.SCP:
            name = f"vpce-guard-{file.stem} --description 'Secrets by VPC endpoints only'"
            sort = "RESOURCE" if scope.kind is Kind.RCP else "SERVICE"
            return [
                f"{_CREATE} --type {sort}_CONTROL_POLICY --name {name} --content {url}",
                "aws organizations attach-policy --policy-id ID --target-id ACCOUNT_OR_OU",
            ]
        case Kind.ENDPOINT:
            return [
                f"cp {path} layers/approved_policies/endpoint_policies/twin.json",
                "guardctl policies lint   # then choose it (ApprovedPolicy), and guardctl deploy",
            ]
