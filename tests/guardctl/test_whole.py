"""Reading a file at once, parsing what is needed alone, comes to the same as parsing all of it."""

import gzip
import io
import json
import re
import tracemalloc
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from guardctl.trail import Broken, Element, Skipped, read
from guardctl.trail.whole import LARGEST, read_whole
from tests.records import READ, changed

OTHER = {"eventVersion": "1.11", "eventSource": "ec2.amazonaws.com", "eventName": "RunInstances"}
SERVICE = "secretsmanager.amazonaws.com"


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def assert_same(content: str) -> int:
    """Reading agrees with `json.loads` about every record; how many it did not parse."""
    expected = json.loads(content)
    expected = expected["Records"] if isinstance(expected, dict) else expected
    data = content.encode()
    at = skipped = 0
    for item in read(io.BytesIO(data), len(data)):
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


# What is not of the usual form is left to whoever reads piece by piece: each is put between others.

LEFT = {
    "no source": '{"eventVersion":"1.11","eventName":"x"}',
    "no source of its own": '{"eventVersion":"1.11","a":{"eventSource":"ec2.amazonaws.com"}}',
    "a source that is no text": '{"eventVersion":"1.11","eventSource":null}',
    "an event": compact({"detail-type": "x", "detail": OTHER}),
    "no object": "5",
    "broken": compact(OTHER)[:-9],
    "another record in it": '{"Records":[]}',
    "not UTF-8": compact(changed(OTHER, a="\udcff")),
}


@pytest.mark.parametrize("odd", LEFT.values(), ids=LEFT.keys())
@pytest.mark.parametrize("layout", ["[{}]", '{{"Records":[{}]}}', "{}"])
def test_left(odd: str, layout: str):
    plain, between = compact(OTHER), "\n" if layout == "{}" else ","
    usual = layout.format(between.join([plain, plain, plain]))
    left = layout.format(between.join([plain, odd, plain]))
    assert list(read_whole(usual.encode()) or ()) == [Skipped(3)]
    assert read_whole(left.encode("utf-8", "surrogatepass")) is None


# What could mislead whoever searches for texts: the parser distinguishes it.

HIDDEN = '{"eventVersion":"1.11","eventSource":"\\u0073ecretsmanager.amazonaws.com"}'
FOUND = {
    "the name as an escape": HIDDEN,
    "the key as an escape": compact(READ).replace("eventSource", "event\\u0053ource"),
    "a source twice": compact(OTHER)[:-1] + f',"eventSource" : "{SERVICE}"}}',
    "spaced": json.dumps(READ, indent=4),
}


@pytest.mark.parametrize("record", FOUND.values(), ids=FOUND.keys())
def test_found(record: str):
    content = '{"Records":[' + ",".join([compact(OTHER), record, compact(OTHER)]) + "]}"
    assert assert_same(content) == 2
    found = [one for one in read_whole(content.encode()) or () if isinstance(one, Element)]
    assert [one.value for one in found] == [json.loads(record)]


def test_what_names_the_service_elsewhere_is_passed_over():
    named = changed(OTHER, invokedBy=SERVICE, a='}{][},{"eventSource":"' + SERVICE)
    assert assert_same(compact({"Records": [named, READ, named]})) == 2


@pytest.mark.parametrize("indent", [None, 1, 4])
def test_places_are_those_of_an_editor(indent: int | None):
    records = [OTHER, READ, changed(OTHER, a="é"), READ, READ]
    content = json.dumps({"Records": records}, indent=indent, ensure_ascii=False)
    whole = [one for one in read_whole(content.encode()) or () if isinstance(one, Element)]
    pieces = [one for one in read(io.BytesIO(content.encode())) if isinstance(one, Element)]
    lines = content.split("\n")
    for one in (*whole, *(piece for piece in pieces if piece.value == READ)):
        line, column = map(int, one.position.split(":"))
        rest = "\n".join([lines[line - 1][column - 1 :], *lines[line:]])
        assert json.JSONDecoder().raw_decode(rest)[0] == READ
    assert len(whole) == len({one.position for one in whole}) == 3
    in_order = [one.position for one in whole]
    assert [one.position for one in reversed(whole)] == in_order[::-1]


def test_packed():
    packed = gzip.compress(compact({"Records": [OTHER, READ]}).encode())
    assert [type(one) for one in read_whole(packed) or ()] == [Skipped, Element]
    assert read_whole(packed[:-9]) is None
    assert read_whole(packed + packed) is None
    assert read_whole(packed[:20] + b"\0" * 20) is None


def test_a_small_file_that_unpacks_to_gigabytes_is_read_piece_by_piece():
    """It is never whole in memory."""
    bomb = gzip.compress(b" " * (LARGEST + 1))
    tracemalloc.start()
    assert read_whole(bomb) is None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * LARGEST
    (broken,) = read(io.BytesIO(bomb), len(bomb))
    assert broken == Broken("1:1", "the file is empty")
