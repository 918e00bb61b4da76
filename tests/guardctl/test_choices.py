"""Unknown names of approved policies are found before a deployment."""

import pytest

from guard.approved.policies import names
from guardctl.choices import choice_problems, samconfig_problems, template_problems
from guardctl.policies import ROOT, SHIPPED

SHIPPED_NAMES = names(SHIPPED)
TEMPLATE = (ROOT / "template.yaml").read_text()


def test_what_this_repository_chooses_is_there():
    assert list(choice_problems(ROOT, SHIPPED_NAMES)) == []


def test_a_default_that_is_no_policy_is_found():
    wrong = TEMPLATE.replace("Default: own-account", "Default: own-acount")
    (found,) = template_problems(wrong, SHIPPED_NAMES)
    assert found == ("own-acount", "template.yaml", "the default of ApprovedPolicy is no policy")


def test_a_policy_that_cannot_be_chosen_is_found_and_one_that_is_gone():
    more = [*SHIPPED_NAMES, "new"]
    assert [
        (name, "AllowedValues" in text) for name, _, text in template_problems(TEMPLATE, more)
    ] == [("new", True)]
    less = [name for name in SHIPPED_NAMES if name != "one-secret"]
    (found,) = template_problems(TEMPLATE, less)
    assert found[0] == "one-secret"
    assert "there is no such policy" in found[2]


@pytest.mark.parametrize(
    "overrides",
    [
        '"Mode=observe ApprovedPolicy=typo"',
        '"Mode=\\"observe\\" ApprovedPolicy=\\"typo\\""',
        '["Mode=observe", "ApprovedPolicy=typo"]',
        '{Mode = "observe", ApprovedPolicy = "typo"}',
    ],
)
def test_samconfig_is_read_in_every_form(overrides):
    text = f"version = 0.1\n[prod.deploy.parameters]\nparameter_overrides = {overrides}\n"
    (found,) = samconfig_problems(text, SHIPPED_NAMES)
    assert found[:2] == ("typo", "samconfig.toml, prod")
    assert list(samconfig_problems(text.replace("typo", "one-secret"), SHIPPED_NAMES)) == []
