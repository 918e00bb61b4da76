"""Real shapes with some of their parts dropped, retyped, nested or blown up: for hypothesis."""

from typing import Any

from hypothesis import strategies as st

from tests.records import ENDPOINT_DENIED, READ, ROTATION_SUCCEEDED, read, role

SAMPLES = [
    READ,
    ROTATION_SUCCEEDED,
    ENDPOINT_DENIED,
    read(userIdentity=role()),
    read(
        eventName="CreateVpcEndpoint",
        requestParameters={
            "CreateVpcEndpointRequest": {"VpcId": "vpc-0a", "SubnetId": [{"content": "subnet-0b"}]}
        },
        responseElements={"CreateVpcEndpointResponse": {"vpcEndpoint": {"vpcId": "vpc-0a"}}},
    ),
]

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec=None), max_size=40),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)
blown_up = st.sampled_from(["x" * 100_000, "\ud800", "\x00", 10**400, [[[[]]]] * 50])


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """A record of a real shape with one to four parts damaged."""
    record: Any = draw(st.sampled_from(SAMPLES))
    for _ in range(draw(st.integers(1, 4))):
        if not (inner := [path for path in _paths(record) if path]):
            break
        record = _put(
            record, draw(st.sampled_from(inner)), draw(json_values | blown_up | st.just(...))
        )
    return record


def _paths(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        inner = list(value.items())
    else:
        inner = list(enumerate(value)) if isinstance(value, list) else []
    return [path, *(deeper for key, one in inner for deeper in _paths(one, (*path, key)))]


def _put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy of a JSON value with the part at a path replaced, or dropped if `new` is `...`."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    if len(path) == 1 and new is ...:
        del copy[path[0]]
    else:
        copy[path[0]] = _put(value[path[0]], path[1:], new)
    return copy
