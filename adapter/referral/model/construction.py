"""A constructor for the classes of the model that costs a third of the one that they come with.

A frozen dataclass writes each field around its own guard, by far the dearest part of making one,
and a message makes a hundred. Here the fields are written while the object is of a class with the
same slots and no guard; then it becomes what it is. Nobody has seen it before that.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from functools import update_wrapper
from typing import Any, TypeVar

T = TypeVar("T")


def quick(cls: type[T]) -> type[T]:
    """Give a frozen dataclass with slots and keywords alone that constructor, and return it.

    Raises:
        TypeError: it has what this constructor cannot do: a default that is made, or work to do
            after its fields are there.
    """
    own = fields(cls)  # type: ignore[arg-type]
    if hasattr(cls, "__post_init__") or any(each.default_factory is not MISSING for each in own):
        raise TypeError(f"{cls.__name__} does more than to keep its fields")
    names = [each.name for each in own]
    unguarded = type(cls.__name__, (), {"__slots__": tuple(names)})
    known: dict[str, Any] = {"write": object.__setattr__, "unguarded": unguarded, "whole": cls}
    known |= {f"default_{each.name}": each.default for each in own}
    given = [
        each.name if each.default is MISSING else f"{each.name}=default_{each.name}" for each in own
    ]
    lines = [f"def __init__(self, *, {', '.join(given)}):"]
    lines += [" write(self, '__class__', unguarded)"]
    lines += [f" self.{name} = {name}" for name in names]
    lines += [" self.__class__ = whole"]
    exec(compile("\n".join(lines), f"<{cls.__name__} made>", "exec"), known)  # noqa: S102
    made = update_wrapper(known["__init__"], cls.__init__)
    cls.__init__ = made  # type: ignore[method-assign]
    return cls
