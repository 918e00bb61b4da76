"""What is remembered is what would be worked out anew."""

import dataclasses
from functools import partial
from typing import Any
from unittest.mock import patch

import botocore.compat
import botocore.hooks
import moto.core.responses
import moto.core.utils
import moto.sqs.models
from botocore.handlers import BUILTIN_HANDLERS

from emulator import Cloud, quick


class Called:
    def __call__(self, **given: Any) -> None:
        """A handler that is an object."""

    def method(self, event: str, **given: Any) -> None:
        """A handler that is a method."""

    def narrow(self, event: str) -> None:
        """A handler that botocore refuses."""


HANDLERS = [
    *(one[1] for one in BUILTIN_HANDLERS if callable(one[1])),
    *(Called(), Called().method, Called().narrow, Called.narrow),
    *(partial(Called().method, "x"), lambda event: None, lambda **given: None),
]


def test_each_handler_takes_what_botocore_says():
    said = {repr(one): bool(botocore.compat.accepts_kwargs(one)) for one in HANDLERS}
    assert {repr(one): quick.accepts_kwargs(one) for one in HANDLERS} == said
    assert {True, False} == {*said.values()}


def test_every_module_of_moto_remembers_and_says_the_same(deployment: Cloud):
    remembering: Any = moto.core.utils.camelcase_to_underscores
    assert moto.sqs.models.camelcase_to_underscores is remembering
    assert moto.core.responses.camelcase_to_underscores is remembering
    for name in ("ApproximateNumberOfMessages", "KmsMasterKeyId", "DNSName", "a b", ""):
        assert remembering(name) == remembering.__wrapped__(name)
    assert botocore.hooks.accepts_kwargs is quick.accepts_kwargs  # pyright: ignore[reportPrivateImportUsage]


def test_classes_whose_methods_were_compiled_before_keep_their_own_values():
    def made(default: list[int]) -> Any:
        with patch.object(dataclasses, "exec", quick.execute, create=True):
            return dataclasses.make_dataclass(
                "Made", [("one", list, dataclasses.field(default_factory=lambda: default))]
            )

    first, second = made([1]), made([2])
    assert (first().one, second().one) == ([1], [2])
    assert first.__init__ is not second.__init__
    assert first([3]) == first([3])
    assert first([3]) != second([3])
