"""Which tags of the stack are passed on: all but those of AWS and the guard, if there is room."""

from hypothesis import given
from hypothesis import strategies as st

from ensure_endpoint.tags import MOST_TAGS, chosen, combined

RESERVED = {"our:opt-out", "our:policy"}
KEYS = st.sampled_from(
    ["aws:cloudformation:stack-id", "AWS:x", "vpce-guard:managed", "Name", *RESERVED]
) | st.text(min_size=1, max_size=8)


@given(st.dictionaries(KEYS, st.text(max_size=4), max_size=60))
def test_what_is_passed_on_is_the_stacks_and_steers_nothing(found: dict[str, str]):
    given = chosen(found, RESERVED, 46)
    assert given.tags.items() <= found.items()
    for key in given.tags:
        assert not key.lower().startswith(("aws:", "vpce-guard:"))
    assert not given.tags.keys() & RESERVED
    assert len(given.tags) <= 46
    assert bool(given.problem) == (len(given.tags) == 46 < len(chosen(found, RESERVED, 99).tags))


@given(st.dictionaries(st.text(min_size=1), st.text(), max_size=46))
def test_the_guards_own_win_and_all_fit(tags: dict[str, str]):
    own = {"vpce-guard:managed": "true", "vpce-guard:stack": "arn", "vpce-guard:reason": "sweep"}
    both = combined(own, tags)
    assert both.items() >= own.items()
    assert both.items() >= {k: v for k, v in tags.items() if k not in own}.items()
    assert "Name" in both
    assert len(both) <= MOST_TAGS


def test_tags_without_room_are_named():
    given = chosen({"b": "1", "a": "2"}, (), 1)
    assert (given.tags, given.problem) == ({"a": "2"}, "no room for the stack's tags b")
