"""Placed in a VPC, the functions reach AWS through the endpoints in docs/security.md."""

import re

from emulator import Cloud
from tests.template.stack import ROOT
from tests.template.test_functions import FILES
from tests.template.test_hardening import OUTSIDE

# Not called in this placement: see COVERED_BY_HUB in template.yaml.
WITHOUT_ENDPOINT = {"route53", "route53profiles"}


def listed_endpoints() -> set[str]:
    text = (ROOT / "docs/security.md").read_text()
    return set(re.findall(r"^\| `com\.amazonaws\.<region>\.([a-z0-9-]+)` \|", text, re.MULTILINE))


def test_every_function_that_is_placed_has_work_in_the_day(day: Cloud):
    """So that no service is left out because a function was not there to call it."""
    at_work = {call.function for call in day.calls if call.function}
    assert at_work - OUTSIDE == set(FILES) - OUTSIDE


def test_the_endpoints_listed_are_those_of_the_services_called(day: Cloud):
    called = {call.service for call in day.calls if call.function and call.function not in OUTSIDE}
    assert called - WITHOUT_ENDPOINT == listed_endpoints()
