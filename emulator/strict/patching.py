"""How a method of moto is replaced, and put back."""

import functools
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

type Method = Callable[..., Any]


class Patches:
    """The replacements one module makes.

    A replacement is an ordinary function whose first argument is what it replaces, so it can refuse
    first and call through after:

        @patches.method(SubnetBackend)
        def delete_subnet(moto, backend, subnet_id): ...

    `moto` is None where moto has no such method.
    """

    def __init__(self) -> None:
        self._expected: list[tuple[type, str, Callable[[Any], Any]]] = []

    def method(self, owner: type, name: str | None = None) -> Callable[[Method], Method]:
        """Replaces a method, by default the one of the replacement's name."""
        return self._replacing(owner, _as_method, name)

    def static(self, owner: type) -> Callable[[Method], Method]:
        return self._replacing(
            owner, lambda new: lambda original: staticmethod(_bound(new, original))
        )

    def getter(self, owner: type) -> Callable[[Method], Method]:
        """Replaces a property; the replacement is given the property's function."""
        return self._replacing(
            owner, lambda new: lambda original: property(_bound(new, original.fget))
        )

    def _replacing(
        self, owner: type, make: Callable[[Method], Callable[[Any], Any]], name: str | None = None
    ) -> Callable[[Method], Method]:
        def register(new: Method) -> Method:
            self._expected.append((owner, name or new.__name__, make(new)))
            return new

        return register

    def install(self, undo: ExitStack) -> None:
        """Makes the replacements; `undo` takes them back."""
        for owner, name, make in self._expected:
            inherited = name not in vars(owner)
            before = vars(owner).get(name)
            setattr(owner, name, make(getattr(owner, name, None)))
            if inherited:
                undo.callback(delattr, owner, name)
            else:
                undo.callback(setattr, owner, name, before)


def _as_method(new: Method) -> Callable[[Any], Any]:
    return lambda original: _bound(new, original)


def _bound(new: Method, original: Any) -> Method:
    # A plain function, not a partial: moto finds the actions it knows by `inspect.isfunction`.
    @functools.wraps(new)
    def call(*args: Any, **kwargs: Any) -> Any:
        return new(original, *args, **kwargs)

    return call
