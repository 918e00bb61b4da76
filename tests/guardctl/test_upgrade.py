"""Parameters that a new version drops or renames: nothing that was chosen is lost in silence."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from guard.approved.lists import ApprovedLists
from guardctl.__main__ import app
from guardctl.deploy.values import TEMPLATE, declared
from guardctl.upgrade.losses import Deployed, approved_json, losses

BEFORE = (Path(__file__).parent / "template_before.json").read_text()
DEFAULTS = {name: one["Default"] for name, one in json.loads(BEFORE)["Parameters"].items()}
KNOWN = declared(TEMPLATE.read_text())
NOTHING = ApprovedLists()
ENDPOINT, VPC = "vpce-0a1b2c3d4e5f60718", "vpc-0a1b2c3d4e5f60718"
CHOSEN = {
    "AlertEmail": "ops@example.com",
    "ApprovedEndpoints": ENDPOINT,
    "ChangeBudget": "7",
    "ChatChannelId": "C0123456789",
    "ChatWorkspaceId": "T0123456789",
    "RestoreSecretPolicies": "true",
    "SlackBotTokenParameter": "/vpce-guard/bot",
    "SlackChannel": "C0123456789",
}


def old(region: str = "us-east-1", **chosen: str) -> Deployed:
    return Deployed("vpce-guard", region, {**DEFAULTS, **chosen}, DEFAULTS)


def lost(region: str = "us-east-1", given=(), lists=NOTHING, accepted=(), **chosen: str):
    found = losses(old(region, **chosen), KNOWN, dict(given), lists, accepted)
    return {one.parameter: one for one in found}


# --- pure -----------------------------------------------------------------------------------------


def test_a_stack_with_the_defaults_loses_nothing():
    assert lost() == {}


@pytest.mark.parametrize("name", sorted(set(DEFAULTS) - set(KNOWN) - {"TrailKeyArn"}))
def test_no_chosen_value_of_a_dropped_parameter_is_lost_in_silence(name):
    both = {"ChatWorkspaceId": "T1", "ChatChannelId": "C1"} if name.startswith("Chat") else {}
    values = {"PricePerAzHour": "0.05", "RestoreSecretPolicies": "true", "PerimeterBound": "all"}
    found = lost(**{**both, name: values.get(name, "x")})
    assert name in found
    assert found[name].todo


def test_what_is_kept_is_not_lost_whatever_its_value():
    assert lost(Mode="remediate", SlackWebhookParameter="/a", ApprovedAccounts="123456789012") == {}


@pytest.mark.parametrize(
    ("chosen", "override"),
    [
        ({"SlackBotTokenParameter": "/bot"}, ("SlackWebhookParameter", "/bot")),
        ({"ChatWorkspaceId": "T1", "ChatChannelId": "C1"}, ("ChatChannel", "T1/C1")),
        ({"RestoreSecretPolicies": "true"}, ("SecretPerimeter", "restore-tagged")),
        ({"PerimeterBound": "all"}, ("SecretPerimeter", "watch-all")),
        (
            {"PerimeterBound": "all", "RestoreSecretPolicies": "true"},
            ("SecretPerimeter", "restore-all"),
        ),
    ],
)
def test_a_renamed_parameter_has_its_new_pair_and_naming_it_settles_it(chosen, override):
    assert {one.override for one in lost(**chosen).values()} == {override}
    assert lost(given=[override], **chosen) == {}


def test_half_of_a_pair_switched_nothing_on():
    assert lost(ChatWorkspaceId="T1") == {}


def test_what_is_in_approved_json_is_not_lost():
    both = f"{ENDPOINT},vpce-00000000"
    found = lost(lists=ApprovedLists(endpoints=frozenset([ENDPOINT])), ApprovedEndpoints=both)
    assert found["ApprovedEndpoints"].value == "vpce-00000000"
    assert (
        lost(lists=ApprovedLists(organization="o-a1b2c3d4e5"), OrganizationId="o-a1b2c3d4e5") == {}
    )


@pytest.mark.parametrize(
    ("region", "name", "value", "derived"),
    [
        ("eu-west-1", "PricePerAzHour", "0.011", True),
        ("eu-west-1", "PricePerAzHour", "0.0110", True),
        ("us-east-1", "PricePerAzHour", "0.011", False),
        ("us-gov-west-1", "SlackApi", "https://slack-gov.com/api/", True),
        ("us-east-1", "SlackApi", "https://slack-gov.com/api/", False),
        ("us-east-1", "CoveredByHub", "false", False),
        ("us-east-1", "TrailKeyArn", "arn:aws:kms:us-east-1:123456789012:key/1", True),
    ],
)
def test_what_the_guard_finds_out_by_itself_is_not_lost(region, name, value, derived):
    assert (lost(region, **{name: value}) == {}) is derived


def test_in_a_vpc_hubs_are_not_searched_anyway():
    assert lost(CoveredByHub="false", FunctionSubnets="subnet-0a") == {}


def test_what_is_accepted_is_not_asked_again():
    assert set(lost(accepted=["ChangeBudget"], ChangeBudget="7", HistoryDays="30")) == {
        "HistoryDays"
    }


def test_the_new_approved_json_keeps_what_is_there_and_is_taken():
    found = losses(
        old(ApprovedEndpoints=f"{ENDPOINT},vpce-00000000", ApprovedVpcs=VPC),
        KNOWN,
        {},
        NOTHING,
    )
    before = {"$schema": "./approved.schema.json", "vpcs": [{"id": "vpc-00000000", "reason": "a"}]}
    content = json.loads(approved_json(found, "vpce-guard", before))
    lists = ApprovedLists.parse(content)
    assert lists.endpoints == {ENDPOINT, "vpce-00000000"}
    assert lists.vpcs == {VPC, "vpc-00000000"}
    assert "ApprovedVpcs of the stack vpce-guard" in content["vpcs"][1]["reason"]


# --- on the embedded cloud ------------------------------------------------------------------------


@pytest.fixture
def stack(cloud):
    """A stack of the version before, with values that somebody has chosen."""
    client = cloud.session("ann").client("cloudformation")
    client.create_stack(
        StackName="before",
        TemplateBody=BEFORE,
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in CHOSEN.items()],
    )
    yield client
    client.delete_stack(StackName="before")


def upgrade(*arguments: str):
    return CliRunner().invoke(app, ["upgrade", "--stack-name", "before", *arguments])


def test_it_says_what_would_be_lost_and_what_keeps_it(cloud, stack):
    found = upgrade()
    assert found.exit_code == 1, found.output
    assert "ChatChannel=T0123456789/C0123456789" in found.stdout
    assert "SecretPerimeter=restore-tagged" in found.stdout
    assert "SlackWebhookParameter=/vpce-guard/bot" in found.stdout
    assert f'"id": "{ENDPOINT}"' in found.stdout
    assert "AlertEmail" not in found.stdout
    actions = {one.action for one in cloud.calls if one.service == "cloudformation"}
    assert actions - {"CreateStack"} == {"DescribeStacks", "GetTemplateSummary"}


def test_as_json_it_is_a_row_for_each_value(stack):
    rows = json.loads(upgrade("--format", "json").stdout)
    assert {one["parameter"]: one["value"] for one in rows} == {
        name: CHOSEN[name] for name in set(CHOSEN) - {"AlertEmail", "SlackChannel"}
    }


def test_settled_it_is_content(stack, tmp_path, monkeypatch):
    lists = {"endpoints": [{"id": ENDPOINT, "reason": "the network team's"}]}
    (tmp_path / "approved.json").write_text(json.dumps(lists))
    monkeypatch.setattr("guardctl.upgrade.command.SHIPPED", tmp_path / "approved.json")
    new = (
        "SlackWebhookParameter=/vpce-guard/bot ChatChannel=T0123456789/C0123456789"
        " SecretPerimeter=watch-tagged"
    )
    found = upgrade("--parameters", new, "--accept", "ChangeBudget")
    assert found.exit_code == 0, found.output
    assert "No value that somebody chose would be lost." in found.stdout


def test_a_name_that_the_stack_does_not_have_is_not_accepted(stack):
    found = upgrade("--accept", "ChangeBugdet")
    assert found.exit_code == 2
    assert "no parameter ChangeBugdet" in found.stderr


def test_a_stack_of_this_version_has_nothing_to_lose(cloud):
    found = CliRunner().invoke(app, ["upgrade"])
    assert found.exit_code == 0, found.output


def test_deploy_stops_before_it_makes_a_change_set(cloud, stack):
    found = CliRunner().invoke(app, ["deploy", "--stack-name", "before", "--yes"])
    assert found.exit_code == 1
    assert "SlackWebhookParameter=/vpce-guard/bot" in found.stdout
    assert "values of the stack would be lost" in found.stderr
    assert not any(one.action == "CreateChangeSet" for one in cloud.calls)
