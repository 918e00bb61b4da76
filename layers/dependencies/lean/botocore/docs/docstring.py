"""In the place of botocore's docstrings, which are written from the models when somebody asks."""


class LazyLoadedDocstring(str):
    """The documentation of a method, which nobody reads at run time."""

    __slots__ = ()

    def __new__(cls, *_: object, **__: object) -> "LazyLoadedDocstring":
        return super().__new__(cls)


class ClientMethodDocstring(LazyLoadedDocstring): ...


class WaiterDocstring(LazyLoadedDocstring): ...


class PaginatorDocstring(LazyLoadedDocstring): ...
