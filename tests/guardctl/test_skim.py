"""Passing over records without parsing them comes to the same as parsing them all."""

import io
import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from guardctl.trail import Element, Skipped, read
from guardctl.trail.skim import BOUNDARY, count_of_others
from tests.records import READ, changed

OTHER = {"eventVersion": "1.11", "eventSource": "ec2.amazonaws.com", "eventName": "RunInstances"}
SERVICE = "secretsmanager.amazonaws.com"


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def assert_same(content: str) -> int:
    """Reading agrees with `json.loads` about every record; how many it did not parse."""
    expected = json.loads(content)
    expected = expected["Records"] if isinstance(expected, dict) else expected
    at = skipped = 0
    for item in read(io.BytesIO(content.encode())):
        if isinstance(item, Skipped):
            passed = expected[at : at + item.count]
            assert len(passed) == item.count
            for record in passed:
                assert isinstance(record, dict)
                assert isinstance(record["eventSource"], str)
                assert record["eventSource"] != SERVICE
            at, skipped = at + item.count, skipped + item.count
        else:
            assert isinstance(item, Element)
            assert item.value == expected[at]
            at += 1
    assert at == len(expected)
    return skipped


# Texts made of what could mislead: quotes, escapes, braces, separators, keys, the name.
TRICKY = st.lists(
    st.sampled_from(
        [
            *'{}[]",:\\/ \n\x01\x02',
            '"},{"eventVersion"',
            '"eventSource":"',
            "eventSource",
            "},{",
            "\\u0073",
            SERVICE,
            "é",
            "\u2028",
            "\ud83d",
        ]
    ),
    max_size=5,
).map("".join)
KEYS = st.sampled_from(["eventVersion", "eventSource", "a", "", "Records", "}", '"', "\\"]) | TRICKY
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TRICKY,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
RECORD = st.builds(
    lambda first, source, rest, last: first | source | rest | last,
    st.sampled_from([{"eventVersion": "1.11"}] * 5 + [{}]),
    st.sampled_from(
        [{"eventSource": "ec2.amazonaws.com"}] * 20
        + [{"eventSource": odd} for odd in (SERVICE, "", None, 5, {"eventSource": "s3"})]
        + [{}]
    ),
    st.dictionaries(
        KEYS.filter(lambda key: key not in ("Records", "eventSource")), VALUES, max_size=3
    ),
    st.sampled_from([{}, {"eventSource": "s3.amazonaws.com"}]),
)
ESCAPED = st.sampled_from([*[""] * 6, "s", "S", ".", "e", "{", '"'])
LAYOUTS = st.sampled_from([(None, (",", ":")), (None, (", ", ": ")), (2, None), ("\t", None)])


def written(value: Any, layout: tuple[Any, Any], escape: str, ascii_only: bool) -> str:
    """JSON as different writers write it: spaced or not, some characters as escapes."""
    indent, separators = layout
    text = json.dumps(value, indent=indent, separators=separators, ensure_ascii=ascii_only)
    if not escape:
        return text
    # Inside strings only: outside of them these letters are in true and false.
    parts = text.replace("\\\\", "\0").replace('\\"', "\1").split('"')
    hidden = f"\\u{ord(escape):04x}"
    either = re.compile(rf"\\u[0-9a-f]{{4}}|{re.escape(escape)}")
    parts[1::2] = [
        either.sub(lambda found: hidden if found[0] == escape else found[0], part)
        for part in parts[1::2]
    ]
    quote = hidden if escape == '"' else '\\"'
    return '"'.join(parts).replace("\1", quote).replace("\0", "\\\\")


@given(st.lists(RECORD, max_size=8), LAYOUTS, ESCAPED, st.booleans(), st.booleans())
@example(
    [{"a": "}", "eventSource": "x", "b": [{"a": 1, "eventSource": "y"}] * 2}] * 3,
    (None, (",", ":")),
    "",
    True,
    True,
)
def test_the_same_as_parsing_all(
    records: list[Any], layout: tuple[Any, Any], escape: str, ascii_only: bool, wrapped: bool
):
    content = written({"Records": records} if wrapped else records, layout, escape, ascii_only)
    try:
        content.encode()
    except UnicodeEncodeError:
        content = written(records, layout, escape, True)
    assert_same(content)


# What must not be skipped: each is put between records that are.

HIDDEN = '{"eventVersion":"1.11","eventSource":"\\u0073ecretsmanager.amazonaws.com"}'
DEEP = compact(OTHER)[:-1] + ',"a":' + "[" * 30 + "]" * 30 + "}"
NOT_SKIPPED = {
    "the name as an escape": HIDDEN,
    "the key as an escape": compact(OTHER).replace("eventSource", "event\\u0053ource"),
    "the key as a value": compact(changed(OTHER, attribute="eventSource")),
    "a source twice, spaced": compact(OTHER)[:-1] + ',"eventSource" : null}',
    "no source": '{"eventVersion":"1.11","eventName":"x"}',
    "no source of its own": '{"eventVersion":"1.11","a":{"eventSource":"ec2.amazonaws.com"}}',
    "a source that is no text": '{"eventVersion":"1.11","eventSource":null}',
    "very deep": DEEP,
    "an event": compact({"detail-type": "x", "detail": OTHER}),
    "no object": "5",
    "text": '"},{"',
}


@pytest.mark.parametrize("odd", NOT_SKIPPED.values(), ids=NOT_SKIPPED.keys())
def test_not_skipped(odd: str):
    plain = compact(OTHER)
    separator = '},{"eventVersion"'
    assert count_of_others(",".join([plain, plain, plain]), separator) == 3
    assert count_of_others(",".join([plain, odd, plain]), separator) == 0
    assert count_of_others(odd, separator) == 0


def test_what_names_the_service_is_parsed():
    named = changed(OTHER, invokedBy=SERVICE)
    twice = compact(OTHER)[:-1] + f',"eventSource":"{SERVICE}"}}'
    content = "[" + ",".join([*[compact(OTHER)] * 9, compact(named), twice, compact(READ)]) + "]"
    assert assert_same(content) == 8
    found = [item.value for item in read(io.BytesIO(content.encode())) if isinstance(item, Element)]
    assert found[-3:] == [named, json.loads(twice), READ]


SKIPPED = {
    "plain": OTHER,
    "nested": changed(OTHER, a={"b": [{"c": {}}, [], {"eventVersion": "1", "eventSource": "x"}]}),
    "braces in texts": changed(OTHER, a='}{][},{"eventVersion"', b="{", c="]"),
    "a policy": changed(OTHER, policy=compact({"Statement": [{"eventSource": "x\\"}]})),
    "backslashes": changed(OTHER, a="\\", b='\\"', c="\\\\", d='"\\'),
    "a key in a text": changed(OTHER, a='"eventSource":"s3"', b='\\"eventSource":"'),
    "harmless escapes": changed(OTHER, a="é\n\t\u2028"),
    "looks like a separator": changed(OTHER, a=[{"eventVersion": 1}, {"eventVersion": 2}]),
}


@pytest.mark.parametrize("record", SKIPPED.values(), ids=SKIPPED.keys())
def test_skipped(record: Any):
    content = compact({"Records": [OTHER, *[record] * 50, READ, *[record] * 50, READ]})
    assert assert_same(content) > 90


@pytest.mark.parametrize("indent", [None, 1, 4])
def test_skipped_in_every_layout(indent: int | None):
    content = json.dumps({"Records": [OTHER] * 100}, indent=indent)
    assert assert_same(content) > 90


def test_a_boundary_holds_a_key_that_begins_with_a_letter():
    assert BOUNDARY.match('},{"eventVersion"')
    assert not BOUNDARY.match('},{"')
    assert not BOUNDARY.match('},{",{"a"')
    assert not BOUNDARY.match('},{"\\u0061"')


def test_the_name_is_never_in_what_is_skipped_even_in_broken_files():
    broken = compact(OTHER)[:-9]  # its last string does not end
    content = "{" + f'"Records":[{compact(OTHER)},{broken},{compact(READ)},{compact(OTHER)}]}}'
    found = [item.value for item in read(io.BytesIO(content.encode())) if isinstance(item, Element)]
    assert READ in found
