"""`guardctl policies`: the approved endpoint policies, checked before they reach an endpoint."""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from guard.approved.lists import FILE_NAME, ApprovedLists, ApprovedListsError
from guard.approved.policies import ApprovedPolicyError, Placeholders, fill, placeholders
from guard.approved.policies import names as approved_names
from guard.partitions import partition_of
from guard.policy import PolicyError, compare, overall_risk, parse
from guardctl import ROOT
from guardctl.choices import choice_problems
from guardctl.errors import Failed
from guardctl.formats import Format, FormatOption, LintFormat, LintFormatOption, print_rows
from guardctl.lists import SHIPPED as LISTS
from guardctl.lists import list_problems
from guardctl.policy_lint import SAMPLE, Level, Problem, lint_folder
from guardctl.sarif import Result, Rule, line_of, print_sarif
from guardctl.screen import say

SHIPPED = ROOT / "layers" / "approved_policies" / "endpoint_policies"
_RULE = Rule(
    "approved-policy",
    "An approved endpoint policy, or what chooses it, is wrong.",
    "Correct the file and run `guardctl policies lint`.",
)

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def main() -> None:
    """Check the approved endpoint policies, and compare others with them."""


@app.command("lint")
def lint_command(
    directory: Annotated[
        Path, typer.Argument(help="The folder of the policies.", show_default="the shipped ones")
    ] = SHIPPED,
    offline: Annotated[bool, typer.Option("--offline", help="Do not ask AWS.")] = False,
    region: Annotated[str | None, typer.Option(help="Where AWS is asked.")] = None,
    profile: Annotated[str | None, typer.Option(help="Profile of the AWS configuration.")] = None,
    format_: LintFormatOption = LintFormat.TABLE,
) -> None:
    """Check every policy in a folder. In a clone of VPCE Guard also checks approved.json.

    Where there are credentials, IAM Access Analyzer is asked too (access-analyzer:ValidatePolicy).

    Exits with 1 if a policy has an error, with 2 if the folder has no policies.

    Examples:
      guardctl policies lint
      guardctl policies lint my-policies/ --offline --format jsonl
      guardctl policies lint layers/approved_policies/endpoint_policies --format sarif
    """
    if not any(directory.glob("*.json")):
        raise Failed(f"there are no policies in {directory}", "name a folder of .json files")
    problems = lint_folder(directory)
    if root := _clone(directory):
        lists = directory.parent / FILE_NAME
        problems += [Problem(*one) for one in choice_problems(root, approved_names(directory))]
        problems += [Problem(*one) for one in list_problems(root, directory, lists)]
    if not offline:
        problems += _said_by_aws(directory, profile, region)
    if format_ is LintFormat.SARIF:
        print_sarif([_RULE], [_result(problem, directory) for problem in problems])
    else:
        rows = [asdict(problem) for problem in problems]
        print_rows(rows, Format(format_), ("level", "policy", "place", "text"))
    if any(problem.level is Level.ERROR for problem in problems):
        raise typer.Exit(1)


def _said_by_aws(directory: Path, profile: str | None, region: str | None) -> list[Problem]:
    """What AWS says of each policy that can be read, filled in for some account of the Region."""
    from guardctl.validation import ERROR, NotAsked, analyzer, validate

    found: list[Problem] = []
    try:
        client = analyzer(profile, region)
        place = client.meta.region_name
        values = replace(SAMPLE, region=place, partition=partition_of(place))
        for path in sorted(directory.glob("*.json")):
            try:
                text = fill(path.stem, path.read_text(encoding="utf-8"), values).text
            except (ApprovedPolicyError, UnicodeDecodeError):
                continue  # that is said without AWS
            for one in validate(client, text, "endpoint"):
                level = Level.ERROR if one.level == ERROR else Level.WARNING
                said = f"AWS says {one.level} {one.code}: {one.text}"
                found.append(Problem(path.stem, one.place, said, level))
    except NotAsked as error:
        say(f"AWS was not asked to validate: {error}", err=True)
    return found


def _clone(directory: Path) -> Path | None:
    """The folder of VPCE Guard whose approved policies these are, if there is one around them."""
    within = SHIPPED.relative_to(ROOT)
    root = next(iter(directory.resolve().parents[len(within.parts) - 1 :]), None)
    found = root and directory.resolve() == root / within and (root / "template.yaml").exists()
    return root if found else None


def _result(problem: Problem, directory: Path) -> Result:
    """A problem beside the line that it is about: of its policy, or of what chooses one."""
    named = directory / problem.policy
    if problem.place.startswith(("template.yaml", "samconfig.toml")):
        file = (_clone(directory) or ROOT) / problem.place.partition(",")[0]
    elif FILE_NAME in (problem.policy, problem.place):
        file = directory.parent / FILE_NAME
    else:
        file = named if named.is_file() else named.with_name(f"{named.name}.json")
    text = f"{problem.policy}: {problem.place}: {problem.text}"
    return Result(_RULE, problem.level.value, file, text, line_of(file, problem.place))


@app.command("compare")
def compare_command(
    attached: Annotated[str, typer.Argument(help="A policy file, or - for standard input.")],
    approved: Annotated[
        str, typer.Argument(help="The policy file, or approved policy, to compare it with.")
    ],
    account: Annotated[
        str, typer.Option(metavar="ID", help="Value of ${AccountId}. Default: your account.")
    ] = "",
    region: Annotated[
        str,
        typer.Option(
            help="Region for ${Region}, ${Partition}. Default: from the AWS configuration."
        ),
    ] = "",
    org_id: Annotated[
        str, typer.Option(metavar="ID", help="Value of ${OrgId}. Default: as in approved.json.")
    ] = "",
    profile: Annotated[str | None, typer.Option(help="Profile of the AWS configuration.")] = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Show how two policy documents differ in meaning. Exits with 1 if they do.

    Placeholders such as ${AccountId} are replaced first, in both documents. The command calls AWS
    only if a placeholder needs your account (sts:GetCallerIdentity).

    Examples:
      guardctl policies compare attached.json own-account
      guardctl policies compare - own-account --account 111122223333 --region eu-west-1
    """
    try:
        texts = [_read(attached), _read(str(_file(approved)))]
        given = Given(account, region, org_id, profile)
        attached_text, approved_text = (_filled(text, given) for text in texts)
        expected = parse(approved_text)
    except (OSError, UnicodeDecodeError, PolicyError, ApprovedPolicyError) as error:
        raise Failed(f"cannot compare: {error}") from error
    found = compare(attached_text, expected)
    print_rows([one.to_json() for one in found], format_, ("risk", "statement", "difference"))
    risk = overall_risk(found)
    if risk is not None:
        say(f"Not the same: the first is {risk}.", err=True)
        raise typer.Exit(1)
    if format_ is Format.TABLE:
        say("equal: both documents mean the same")


class Given:
    """What placeholders are filled in with: the options, and for the rest the caller's."""

    def __init__(self, account: str, region: str, org_id: str, profile: str | None) -> None:
        self.account, self.region, self.org_id = account, region, org_id
        self.profile = profile

    def values(self, asked: frozenset[str]) -> Placeholders:
        """Raises Failed where a value that is asked for is not known."""
        if {"Region", "Partition", "AccountId"} & asked and not self.region:
            self.region = self._session().region_name or ""
            if not self.region:
                raise Failed("no Region is configured", "name one with --region")
        if "AccountId" in asked and not self.account:
            sts = self._session().client("sts", region_name=self.region)
            self.account = sts.get_caller_identity()["Account"]
        if "OrgId" in asked and not self.org_id:
            try:
                self.org_id = ApprovedLists.load(LISTS).organization
            except ApprovedListsError as error:
                raise Failed(str(error), "guardctl policies lint") from error
            if not self.org_id:
                raise Failed("${OrgId} has no value", "give --org-id")
        return Placeholders(
            account_id=self.account or "000000000000",  # where none of them is asked for
            region=self.region or "us-east-1",
            partition=partition_of(self.region or "us-east-1"),
            org_id=self.org_id,
        )

    def _session(self) -> Any:
        import boto3  # mostly not needed here, and long to import

        return boto3.Session(profile_name=self.profile)


def _read(place: str) -> str:
    return sys.stdin.read() if place == "-" else Path(place).read_text(encoding="utf-8")


def _file(name: str) -> Path:
    shipped = SHIPPED / f"{name}.json"
    return shipped if not Path(name).exists() and shipped.exists() else Path(name)


def _filled(text: str, given: Given) -> str:
    """The document with its placeholders filled in; one that is no JSON stays as it is."""
    try:
        json.loads(text)
    except ValueError:
        return text
    asked = placeholders(text)
    return fill("document", text, given.values(asked)).text if asked else text
