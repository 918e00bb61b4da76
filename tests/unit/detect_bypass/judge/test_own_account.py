"""An account that a record does not name is nobody's, and so not the owner's."""

from dataclasses import replace

import pytest

from detect_bypass.judge.case import Case, Inventory
from detect_bypass.judge.predicates import came_through_own_account
from guard.cloudtrail.record import parse
from tests.records import ACCOUNT, OWN_ENDPOINT, read


def through(owner: str, delivered_to: str, *accounts: str) -> bool:
    record = replace(
        parse(read(vpcEndpointId=OWN_ENDPOINT)),
        vpc_endpoint_account_id=owner,
        account=delivered_to,
    )
    return came_through_own_account(Case(record, Inventory(accounts=frozenset(accounts))))


@pytest.mark.parametrize("accounts", [(), ("",), (ACCOUNT,), (ACCOUNT, "")])
@pytest.mark.parametrize("delivered_to", ["", ACCOUNT])
def test_an_empty_account_is_not_own(delivered_to: str, accounts: tuple[str, ...]) -> None:
    assert not through("", delivered_to, *accounts)


def test_the_owners_account_is() -> None:
    assert through(ACCOUNT, "", ACCOUNT)
    assert through(ACCOUNT, ACCOUNT)  # where none is named, the one that the record came to
    assert not through("444455556666", ACCOUNT, ACCOUNT)
