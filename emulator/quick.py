"""What moto, botocore and dataclasses work out anew each time, worked out once per process.

Half of the time of a run went into these answers, which depend on nothing but the question. No
answer differs.
"""

import inspect
import sys
from collections.abc import Callable, Mapping
from functools import cache
from types import CodeType, ModuleType
from typing import Any

import botocore.hooks
import moto.core.utils

_PURE = ("camelcase_to_underscores", "method_names_from_class")
"""Functions of moto that it calls for each request, about names of its operations and classes."""


@cache
def install() -> None:
    """Put the remembering functions in. Calling it again does nothing."""
    for name in _PURE:
        original = getattr(moto.core.utils, name)
        remembering = cache(original)
        for module in _importers(name, original):
            setattr(module, name, remembering)
    setattr(botocore.hooks, "accepts_kwargs", accepts_kwargs)  # noqa: B010 - pyright knows no such name


def _importers(name: str, value: Any) -> list[ModuleType]:
    """The modules of moto that know the value by this name."""
    ours = [module for path, module in sys.modules.items() if path.startswith("moto.")]
    return [module for module in ours if vars(module).get(name) is value]


def accepts_kwargs(handler: Callable[..., Any]) -> bool:
    """Whether a handler of botocore's events takes `**kwargs`.

    botocore reads the whole signature for it, of 130 handlers for each session. The code of a
    function or method says the same; whatever else is called has its signature read.
    """
    code = getattr(handler, "__code__", None)
    if isinstance(code, CodeType):
        return bool(code.co_flags & inspect.CO_VARKEYWORDS)
    return bool(inspect.getfullargspec(handler).varkw)


@cache
def _compiled(text: str) -> CodeType:
    return compile(text, "<string>", "exec")


def execute(text: str, names: dict[str, Any], local: Mapping[str, object]) -> None:
    """The builtin exec, for texts that come again.

    dataclasses writes the methods of each class as such a text, and a cold start imports a
    function's classes anew.
    """
    exec(_compiled(text), names, local)  # noqa: S102
