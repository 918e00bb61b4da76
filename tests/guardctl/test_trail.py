"""Log files of every layout are read; records of other services are skipped only where sure."""

import gzip
import io
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardctl.trail import Broken, Element, Skipped, read
from tests.records import READ, changed

OTHER = {"eventVersion": "1.11", "eventSource": "ec2.amazonaws.com", "eventName": "RunInstances"}
CUT = "cannot be read on: Compressed file ended before the end-of-stream marker was reached"


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def number_of(found: list[Any]) -> int:
    """Of records, parsed or passed over."""
    return sum(i.count if isinstance(i, Skipped) else isinstance(i, Element) for i in found)


def broken_in(found: list[Any]) -> list[Broken]:
    return [one for one in found if isinstance(one, Broken)]


def items(content: bytes | str) -> list[Any]:
    """What is read of a file. Of a pipe the same is read, but for what is not parsed."""
    data = content.encode() if isinstance(content, str) else content
    found = list(read(io.BytesIO(data), len(data)))
    piped = list(read(io.BytesIO(data)))
    assert [number_of(piped), broken_in(piped)] == [number_of(found), broken_in(found)]
    return found


def elements(content: bytes | str) -> list[Any]:
    return [item.value for item in items(content) if isinstance(item, Element)]


def broken(content: bytes | str) -> list[tuple[str, str]]:
    return [(i.position, i.reason) for i in items(content) if isinstance(i, Broken)]


def number(content: bytes | str) -> int:
    return number_of(items(content))


RECORDS = [OTHER, OTHER, READ, OTHER, OTHER, OTHER, READ, READ, OTHER]
LAYOUTS = {
    "records": compact({"Records": RECORDS}),
    "records, spaced": json.dumps({"Records": RECORDS}),
    "records, indented": json.dumps({"Records": RECORDS}, indent=2),
    "array": compact(RECORDS),
    "array, indented": json.dumps(RECORDS, indent=2),
    "lines": "\n".join(map(compact, RECORDS)),
    "lines, spaced": "\n".join(map(json.dumps, RECORDS)) + "\n",
    "lines of Windows": "\r\n".join(map(compact, RECORDS)),
    "lines of Records": "\n".join(compact({"Records": [record]}) for record in RECORDS),
    "one after another": "".join(map(compact, RECORDS)),
    "indented, one after another": "\n".join(json.dumps(one, indent=2) for one in RECORDS),
    "two documents": compact({"Records": RECORDS[:4]}) + compact({"Records": RECORDS[4:]}),
    "a byte order mark": "\ufeff" + compact({"Records": RECORDS}),
}


@pytest.mark.parametrize("content", LAYOUTS.values(), ids=LAYOUTS.keys())
@pytest.mark.parametrize("packed", [False, True])
def test_layout(content: str, packed: bool):
    data = gzip.compress(content.encode()) if packed else content.encode()
    assert [one for one in elements(data) if one != OTHER] == [READ] * 3
    assert number(data) == len(RECORDS)
    assert broken(data) == []


@pytest.mark.parametrize("name", ["records", "array", "lines"])
def test_most_other_records_are_not_parsed(name: str):
    many = RECORDS * 100
    content = {
        "records": compact({"Records": many}),
        "array": compact(many),
        "lines": "\n".join(map(compact, many)),
    }[name]
    skipped = sum(item.count for item in items(content) if isinstance(item, Skipped))
    assert skipped > 0.9 * (len(many) - 300)
    assert number(content) == len(many)


def test_several_packed_members():
    packed = gzip.compress(compact({"Records": RECORDS}).encode())
    assert number(packed + packed) == 2 * len(RECORDS)


def test_no_records_is_no_mistake():
    assert items('{"Records": []}') == []
    assert items("[]") == []


@pytest.mark.parametrize(
    "content", [b"", b" \n\n", gzip.compress(b"")], ids=["nothing", "blank lines", "packed"]
)
def test_an_empty_file(content: bytes):
    assert broken(content) == [("1:1", "the file is empty")]


def test_text_that_resembles_the_end_of_a_record():
    tricky = changed(
        OTHER, note='"},{"eventVersion":"', policy='{"a": ["}', nested=[{"eventVersion": 1}]
    )
    for content in (
        compact({"Records": [OTHER, tricky, READ] * 50}),
        compact([OTHER, tricky] * 50),
    ):
        assert number(content) == content.count("RunInstances") + content.count("GetSecretValue")
        assert broken(content) == []
    lines = "\n".join(map(compact, [OTHER, tricky, READ] * 50))
    assert (number(lines), broken(lines)) == (150, [])


# Broken input: the place and the reason are reported, and what can be read still is.


def test_a_cut_gzip_file():
    content = compact({"Records": [changed(READ, n=n) for n in range(100)]}).encode()
    packed = gzip.compress(content)
    (complaint,) = broken(packed[: len(packed) // 2])
    assert complaint[1] == CUT
    assert broken(packed[:5]) == [("1:1", CUT)]


def test_a_damaged_gzip_file():
    packed = bytearray(gzip.compress(compact({"Records": [READ] * 100}).encode(), mtime=0))
    packed[30] ^= 0xFF
    ((_, reason),) = broken(bytes(packed))[-1:]
    assert reason.startswith("cannot be read on: ")


def test_half_a_line():
    lines = [compact(READ), compact(READ)[:200], compact(OTHER)[:40], compact(READ)]
    content = "\n".join(lines)
    assert elements(content) == [READ, READ]
    assert [position for position, _ in broken(content)] == ["2:201", "3:41"]


def test_half_a_line_at_the_end():
    content = f"{compact(READ)}\n{compact(READ)[:-10]}"
    assert elements(content) == [READ]
    ((position, _),) = broken(content)
    assert position.startswith("2:")


def test_lines_that_are_not_json():
    content = f"not json\n{compact(READ)}\n\nneither is this\n{compact(READ)}\n"
    assert elements(content) == [READ, READ]
    assert broken(content) == [("1:1", "Expecting value"), ("4:1", "Expecting value")]


def test_a_list_that_does_not_end():
    content = compact({"Records": [READ, OTHER]})
    assert elements(content[:-2])[0] == READ
    assert broken(content[:-2]) == [(f"1:{len(content) - 1}", "the file ends inside a list")]


def test_rubbish_between_records():
    content = f'{{"Records":[{compact(READ)},oops,{compact(READ)}]}}'
    assert elements(content) == [READ, READ]
    assert [reason for _, reason in broken(content)] == ["Expecting value"]


def test_values_that_are_no_records():
    content = f'[1, "text", {compact(READ)}, null]'
    assert elements(content) == [READ]
    assert {reason for _, reason in broken(content)} == {"a record must be a JSON object"}


def test_another_encoding():
    assert elements(compact(READ).encode("utf-16")) == [READ]  # as PowerShell writes it
    torn = f"{compact(READ)}\n{{".encode("utf-16")[:-1]
    assert elements(torn) == [READ]
    assert broken(torn)
    assert broken(compact(READ).encode("utf-32"))
    assert elements(compact(READ).encode("utf-32")) == []
    latin = changed(READ, userAgent="café")
    content = (
        json.dumps(latin, ensure_ascii=False).encode("latin-1") + b"\n" + compact(READ).encode()
    )
    assert elements(content) == [READ]
    assert [reason for _, reason in broken(content)] == ["not UTF-8"]


def test_other_services_records_in_another_encoding_are_not_skipped():
    content = compact(changed(OTHER, note="NOTE")).encode().replace(b"NOTE", b"\xff")
    lines = b"\n".join([content, compact(OTHER).encode(), compact(OTHER).encode()])
    assert [reason for _, reason in broken(lines)] == ["not UTF-8"]


def test_nested_without_end():
    ((_, reason), *_) = broken("[" * 200_000)
    assert reason == "nested too deeply"


def test_one_value_that_does_not_end():
    ((position, reason),) = broken('{"a": "' + "x" * (20 << 20))
    assert (position.split(":")[0], reason) == ("1", "longer than any record")


@given(st.binary(max_size=200))
def test_any_bytes(content: bytes):
    assert all(isinstance(item, Element | Skipped | Broken) for item in items(content))


@given(st.data())
def test_a_file_cut_anywhere_gives_what_is_whole_and_says_so(data: st.DataObject):
    name = data.draw(st.sampled_from(["records", "array", "lines"]))
    content = LAYOUTS[name]
    cut = data.draw(st.integers(1, len(content) - 1))
    whole = [one for one in RECORDS if one == READ][: content[:cut].count(compact(READ))]
    assert [one for one in elements(content[:cut]) if one == READ] == whole
    at_a_line_end = name == "lines" and content[cut - 1 : cut + 1] in ("}\n", "\n{")
    assert bool(broken(content[:cut])) is not at_a_line_end


class Endless(io.RawIOBase):
    """A file of so many bytes that is made while it is read."""

    def __init__(self, records: int) -> None:
        text = compact(changed(OTHER, padding="x" * 800))
        self.pieces: Iterator[bytes] = iter(
            [b'{"Records":[', *[f"{text},".encode()] * (records - 1), text.encode(), b"]}"]
        )
        self.rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while len(self.rest) < len(buffer) and (piece := next(self.pieces, b"")):
            self.rest += piece
        size = min(len(buffer), len(self.rest))
        buffer[:size], self.rest = self.rest[:size], self.rest[size:]
        return size


def test_memory_does_not_grow_with_the_file():
    tracemalloc.start()
    count = sum(i.count if isinstance(i, Skipped) else 1 for i in read(Endless(50_000)))  # 45 MB
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 50_000
    assert peak < 12 << 20
