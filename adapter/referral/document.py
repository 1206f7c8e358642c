"""Canonical JSON: the model as plain dictionaries, and back.

Keys are field names; absent means None or empty, and neither is ever written. Both directions are
compiled once per class, so that a message costs no reflection.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import fields
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from adapter.referral import model

T = TypeVar("T")


R = TypeVar("R")


def _once(build: Callable[[type[Any]], R]) -> Callable[[type[Any]], R]:
    """Build once per class."""
    built: dict[type[Any], R] = {}

    def get(cls: type[Any]) -> R:
        found = built.get(cls)
        if found is None:
            found = built[cls] = build(cls)
        return found

    return get


class DocumentError(ValueError):
    """A document that is not of the model: `path` says where, never what value stood there."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path or 'document'}: {message}")
        self.path = path
        self.message = message


def to_document(value: Any) -> dict[str, Any]:
    """A model object as a JSON object, without empty parts."""
    return _writer(type(value))(value)


def from_document(cls: type[T], document: dict[str, Any]) -> T:
    """The model object that a JSON object describes.

    Raises:
        DocumentError: an unknown key, or a value of the wrong JSON type.
    """
    built: T = _reader(cls)(document, "")
    return built


@_once
def _writer(cls: type[Any]) -> Callable[[Any], dict[str, Any]]:
    plan = [(f.name, _kind(_hints(cls)[f.name])) for f in fields(cls)]

    def write(value: Any) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for name, (shape, inner) in plan:
            part = getattr(value, name)
            if part is None or part == ():
                continue
            if shape == "plain":
                out[name] = part
            elif shape == "object":
                nested = _writer(inner)(part)
                if nested:
                    out[name] = nested
            elif shape == "objects":
                one = _writer(inner)
                out[name] = [one(each) for each in part]
            else:
                out[name] = list(part)
        return out

    return write


@_once
def _reader(cls: type[Any]) -> Callable[[Any, str], Any]:
    plan = {f.name: _kind(_hints(cls)[f.name]) for f in fields(cls)}
    required = {f.name for f in fields(cls)} - {
        f.name for f in fields(cls) if f.default is None or f.default == ()
    }

    def read(document: Any, path: str) -> Any:
        if not isinstance(document, dict):
            raise DocumentError(path, "expected an object")
        given: dict[str, Any] = {}
        for name, part in document.items():
            found = plan.get(name)
            if found is None:
                raise DocumentError(path, f"unknown key {name!r}")
            given[name] = _read_part(found, part, f"{path}.{name}" if path else name)
        missing = required - given.keys()
        if missing:
            raise DocumentError(path, f"missing {', '.join(sorted(missing))}")
        return cls(**given)

    return read


def _read_part(found: tuple[str, Any], part: Any, path: str) -> Any:
    shape, inner = found
    if shape == "object":
        return _reader(inner)(part, path)
    if shape == "plain":
        if not isinstance(part, inner) or (isinstance(part, bool) and bool not in inner):
            raise DocumentError(path, f"expected {inner[0].__name__}")
        return part
    if not isinstance(part, list):
        raise DocumentError(path, "expected an array")
    if shape == "objects":
        one = _reader(inner)
        return tuple(one(each, f"{path}[{index}]") for index, each in enumerate(part))
    if not all(isinstance(each, str) for each in part):
        raise DocumentError(path, "expected an array of strings")
    return tuple(part)


@_once
def _hints(cls: type[Any]) -> dict[str, Any]:
    return get_type_hints(cls, vars(model))


def _kind(hint: Any) -> tuple[str, Any]:
    """How a field is stored: plain value, object, objects, or strings."""
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(each for each in get_args(hint) if each is not type(None))
    if get_origin(hint) is tuple:
        inner = get_args(hint)[0]
        return ("strings", str) if inner is str else ("objects", inner)
    if get_origin(hint) is Literal:
        return "plain", (str,)
    if isinstance(hint, type) and hasattr(hint, "__dataclass_fields__"):
        return "object", hint
    return "plain", (hint,)


def field_kinds(cls: type[Any]) -> dict[str, tuple[str, Any]]:
    """Each field of a model class with its shape: plain, object, objects or strings."""
    return {f.name: _kind(_hints(cls)[f.name]) for f in fields(cls)}
