"""The reviewed approved.json: what is wrong with it, for `guardctl policies lint`."""

from collections.abc import Iterator
from pathlib import Path

from guard.approved.lists import FILE_NAME, ApprovedLists, ApprovedListsError
from guard.approved.policies import placeholders
from guardctl import ROOT
from guardctl.choices import Found, chosen_policies

SHIPPED = ROOT / "layers" / "approved_policies" / FILE_NAME


def list_problems(root: Path, policies: Path, file: Path = SHIPPED) -> Iterator[Found]:
    """What the functions would refuse in the `file`, and what a chosen policy misses in it.

    `root` has template.yaml and samconfig.toml, which choose policies of the folder `policies`.
    """
    try:
        lists = ApprovedLists.load(file)
    except ApprovedListsError as error:
        yield from ((file.name, "document", line) for line in str(error).splitlines())
        return
    except OSError as error:
        yield file.name, "document", f"cannot be read: {error.strerror or error}"
        return
    for name in sorted(chosen_policies(root)):
        path = policies / f"{name}.json"
        if path.exists() and (problem := lacking_organization(path, lists)):
            yield name, file.name, problem


def lacking_organization(policy: Path, lists: ApprovedLists) -> str:
    """Why a policy could not be filled in with these lists; empty if it could."""
    asks = "OrgId" in placeholders(policy.read_text(encoding="utf-8"))
    if asks and not lists.organization:
        return f"{policy.stem} needs the id of your organization in {FILE_NAME}"
    return ""
