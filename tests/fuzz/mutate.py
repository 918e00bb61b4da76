"""Samples bent out of shape: what AWS, people and Slack could send, and what nobody would."""

import copy
import json
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
ODD = (
    None,
    True,
    0,
    -1,
    10**30,
    1.5,
    "",
    " ",
    "x" * 3000,
    "\ud800",
    "\x00\u202e\u0007",
    "arn:aws:iam::1:",
    "arn",
    "vpc-0a1b2c3d4e5f60718",
    "2026-13-45T99:99:99Z",
    "${aws:PrincipalOrgID}",
    "*",
    "\U0001f511",
    [],
    {},
    [[]],
    [None],
    {"": None},
    {"a": {"b": {"c": []}}},
    ["*", {"AWS": "*"}],
)

SHARDS = (b"{", b"]", b'"', b"\\u", b"\xff\xfe", b"\n", b"1e999")


@cache
def _texts(folder: str) -> tuple[str, ...]:
    return tuple(path.read_text() for path in sorted((ROOT / folder).glob("*.json")))


def samples(folder: str) -> list[Any]:
    """Fresh copies of the JSON documents in a folder of the repository."""
    return [json.loads(text) for text in _texts(folder)]


def sample(chance: random.Random, folder: str) -> Any:
    return json.loads(chance.choice(_texts(folder)))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in the value with each of its keys."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


def bent(chance: random.Random, value: Any, *, most: int = 4) -> Any:
    """The JSON value with up to so many changes at places of any depth."""
    root = [value]
    for _ in range(chance.randint(1, most)):
        places = list(_places(root))
        container, key = chance.choice(places)
        match chance.randrange(7):
            case 0 if container is not root:
                del container[key]
            case 1:
                container[key] = copy.deepcopy(chance.choice(ODD))
            case 2:
                container[key] = [container[key], copy.deepcopy(chance.choice(ODD))]
            case 3:
                container[key] = {str(key): container[key]}
            case 4:
                other, place = chance.choice(places)
                container[key] = copy.deepcopy(other[place]) if place in _keys(other) else None
            case 5:
                container[key] = json.dumps(container[key])
            case _:
                container[key] = chance.choice((str(container[key])[::-1], str(container[key])))
    return root[0]


def _keys(container: Any) -> Any:
    return container if isinstance(container, dict) else range(len(container))


def torn(chance: random.Random, data: bytes) -> bytes:
    """The bytes cut, overwritten, doubled or mixed at any place."""
    text = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randint(0, len(text))
        match chance.randrange(5):
            case 0:
                del text[at:]
            case 1:
                text[at : at + 1] = bytes([chance.randrange(256)])
            case 2:
                text[at:at] = chance.choice(SHARDS)
            case 3:
                text[at:at] = text[: chance.randint(0, 200)]
            case _:
                del text[at : at + chance.randint(1, 50)]
    return bytes(text)
