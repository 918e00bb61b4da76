"""Of a change that was recorded, what the VPC shows as this stack's is done, and nothing else."""

import json
from dataclasses import replace

import pytest

from ensure_endpoint.in_force import from_json, in_force, proven, to_json
from guard.endpoint.plan import (
    AuthoriseHttps,
    CreateEndpoint,
    CreateGroup,
    EnableDnsAttribute,
    ModifyEndpoint,
)
from guard.findings.finding import Kind
from tests.builders import OURS, SERVICE, STACK, endpoint, group, vpc
from tests.findings import bypass

SUPPORT = EnableDnsAttribute("vpc-1", "enableDnsSupport")
HOSTNAMES = EnableDnsAttribute("vpc-1", "enableDnsHostnames")
GROUP = CreateGroup("vpc-1", "vpce-guard")
ADMIT = AuthoriseHttps(None, ("10.0.0.0/16", "10.1.0.0/16"))
CREATE = CreateEndpoint("vpc-1", SERVICE, ("subnet-1", "subnet-2"), None, "{}", ("vpce-0",))
MODIFY = ModifyEndpoint("vpce-1", ("subnet-2",), True, None, True, "dualstack")
MODIFIED = endpoint(
    subnet_ids=("subnet-1", "subnet-2"), group_ids=("sg-theirs", "sg-ours"), ip_type="dualstack"
)
BOTH = ("10.0.0.0/16", "10.1.0.0/16")


@pytest.mark.parametrize(
    ("step", "there", "whether"),
    [
        (SUPPORT, vpc(), True),
        (SUPPORT, vpc(dns_support=False), False),
        (HOSTNAMES, vpc(), True),
        (HOSTNAMES, vpc(dns_hostnames=False), False),
        (GROUP, vpc(), True),
        (GROUP, vpc(groups=()), False),
        (GROUP, vpc(groups=(group(tags={}),)), False),  # somebody else's
        (ADMIT, vpc(groups=(group(admits=BOTH),)), True),
        (ADMIT, vpc(), False),
        (ADMIT, vpc(groups=(group(admits=BOTH, tags={}),)), False),
        (CREATE, vpc(endpoints=(endpoint(tags=OURS),)), True),
        (CREATE, vpc(), False),  # somebody else's
        (CREATE, vpc(endpoints=()), False),
        (CREATE, vpc(endpoints=(endpoint("vpce-0", tags=OURS),)), False),  # there before
        (MODIFY, vpc(endpoints=(MODIFIED,)), True),
        (MODIFY, vpc(endpoints=(replace(MODIFIED, id="vpce-2"),)), False),
        (MODIFY, vpc(endpoints=(replace(MODIFIED, private_dns=False),)), False),
        (MODIFY, vpc(endpoints=(replace(MODIFIED, ip_type="ipv4"),)), False),
        (MODIFY, vpc(endpoints=(replace(MODIFIED, subnet_ids=frozenset({"subnet-1"})),)), False),
        (MODIFY, vpc(endpoints=(replace(MODIFIED, group_ids=frozenset({"sg-theirs"})),)), False),
    ],
)
def test_a_step_is_in_force_where_the_vpc_shows_it(step, there, *, whether):
    assert (in_force(step, there, STACK) is not None) is whether


@pytest.mark.parametrize(
    "step", [SUPPORT, GROUP, ADMIT, MODIFY, replace(CREATE, policy="")], ids=str
)
def test_a_step_comes_back_from_the_table_as_it_was(step):
    assert from_json(json.loads(json.dumps(to_json(step)))) == step


def test_the_policy_is_not_kept_with_the_step():
    assert "policy" in to_json(CREATE)
    assert from_json(to_json(CREATE)) == replace(CREATE, policy="")


STEPS = (HOSTNAMES, GROUP, CREATE)
STARTED = replace(
    bypass(),
    kind=Kind.ENDPOINT_CREATED,
    resource="vpc-1",
    done=("done before", *(str(one) for one in STEPS)),
)


def shown(there):
    return proven(STARTED, tuple(to_json(one) for one in STEPS), there, STACK)


def test_a_creation_that_was_made_is_published_with_the_subnets_that_it_has():
    finding = shown(vpc(endpoints=(endpoint(tags=OURS, subnet_ids=("subnet-2",)),)))
    assert finding.kind is Kind.ENDPOINT_CREATED
    assert finding.done[:3] == STARTED.done[:3]
    assert finding.done[3].endswith("in subnet-2")


def test_a_creation_that_was_not_made_is_published_as_far_as_it_went():
    finding = shown(vpc(groups=(), endpoints=()))
    assert finding.kind is Kind.ENDPOINT_REPAIRED
    assert finding.done == ("done before", str(HOSTNAMES))
    assert finding.title == "vpc-1 was prepared for its Secrets Manager endpoint"


def test_an_entry_of_an_older_version_is_published_as_it_stands():
    assert proven(STARTED, (), vpc(), STACK) == STARTED
