"""Canonical JSON: the model as plain dictionaries, and back.

Keys are field names; absent means None or empty, and neither is ever written. Each model class is
compiled once to two plain functions: a message passes here several times, and reflection over the
fields would cost more than everything else that is done with it.
"""

from __future__ import annotations

import threading
import types
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from adapter.referral.model import Referral

T = TypeVar("T")
Function = Callable[[Any], Any]
_kinds: dict[type[Any], dict[str, tuple[str, Any]]] = {}
_writers: dict[type[Any], Function] = {}
_readers: dict[type[Any], Function] = {}
_made_writers: dict[type[Any], Function] = {}  # perhaps without those that they call
_made_readers: dict[type[Any], Function] = {}
_making = threading.RLock()


class DocumentError(ValueError):
    """A document that is not of the model: `path` says where, never what value stood there."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path or 'document'}: {message}")
        self.path = path
        self.message = message

    def within(self, place: str) -> DocumentError:
        """The same, seen from one level up."""
        path = f"{place}.{self.path}" if self.path else place
        return DocumentError(path, self.message)


def to_document(value: Any) -> dict[str, Any]:
    """A model object as a JSON object, without empty parts."""
    write = _writers.get(type(value)) or _published(type(value), _writer, _made_writers, _writers)
    written: dict[str, Any] = write(value)
    return written


def from_document(cls: type[T], document: dict[str, Any]) -> T:
    """The model object that a JSON object describes.

    Raises:
        DocumentError: an unknown key, or a value of the wrong JSON type.
    """
    read = _readers.get(cls) or _published(cls, _reader, _made_readers, _readers)
    built: T = read(document)
    return built


def written_before(document: dict[str, Any]) -> Referral:
    """The referral of a document that `to_document` wrote, which gives that document again for it.

    Raises:
        DocumentError: as `from_document`.
    """
    referral = from_document(Referral, document)
    _last_referral.keep(referral, document)
    return referral


def field_kinds(cls: type[Any]) -> dict[str, tuple[str, Any]]:
    """Each field of a model class with its shape: plain, object, objects or strings."""
    found = _kinds.get(cls)
    if found is None:
        hints = get_type_hints(cls)
        found = _kinds[cls] = {each.name: _kind(hints[each.name]) for each in fields(cls)}
    return found


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


def _published(
    cls: type[Any],
    make: Callable[[type[Any]], Function],
    made: dict[type[Any], Function],
    published: dict[type[Any], Function],
) -> Function:
    """Make a class's function and those that it calls; others see them when all are whole."""
    with _making:
        make(cls)
        published.update(made)
        return published[cls]


def _writer(cls: type[Any]) -> Function:
    if cls in _made_writers:
        return _made_writers[cls]
    names: dict[str, Any] = {}
    lines = ["def write(value):", " out = {}"]
    for name, (shape, _) in field_kinds(cls).items():
        lines.append(f" part = value.{name}")
        if shape == "plain":
            lines += [" if part is not None:", f"  out[{name!r}] = part"]
            continue
        if shape == "strings":
            lines += [" if part:", f"  out[{name!r}] = [*part]"]
            continue
        if shape == "objects":
            lines += [" if part:", f"  out[{name!r}] = [write_{name}(each) for each in part]"]
        else:
            lines += [" if part is not None:", f"  part = write_{name}(part)"]
            lines += ["  if part:", f"   out[{name!r}] = part"]
    write = _compiled("write", [*lines, " return out"], names, cls)
    _made_writers[cls] = _last_referral.remembering(write) if cls is Referral else write
    for name, inner in _nested_classes(cls):  # after it: a class may hold itself
        names[f"write_{name}"] = _writer(inner)
    return _made_writers[cls]


class _Last:
    """The last referral that was written, and its document.

    One step writes the same referral for the store, for its projection and for each delivery. Who
    gets a document does not alter it.
    """

    def __init__(self) -> None:
        self._kept: tuple[Any, dict[str, Any]] = (None, {})

    def keep(self, value: Any, document: dict[str, Any]) -> None:
        """Remember a document instead of the one before."""
        self._kept = (value, document)

    def remembering(self, write: Function) -> Function:
        """The same function, which gives the kept document again where it is asked for again."""

        def remembering(value: Any) -> dict[str, Any]:
            known, document = self._kept
            if known is not value:
                document = write(value)
                self._kept = (value, document)
            return document

        return remembering


_last_referral = _Last()


def _reader(cls: type[Any]) -> Function:
    if cls in _made_readers:
        return _made_readers[cls]
    kinds = field_kinds(cls)
    required = frozenset(each.name for each in fields(cls) if each.default is MISSING)
    names: dict[str, Any] = {
        "cls": cls, "Wrong": DocumentError, "kinds": kinds, "required": required,
        "refuse": _refuse, "objects": _objects, "strings": _strings, "nested": _nested,
    }  # fmt: skip
    lines = ["def read(document):", " if type(document) is not dict:"]
    lines += ["  raise Wrong('', 'expected an object')", " get = document.get", " known = 0"]
    for name, (shape, inner) in kinds.items():
        lines += [f" its_{name} = get({name!r})", f" if its_{name} is not None:", "  known += 1"]
        if shape == "plain":
            names[f"type_{name}"] = inner[0]
            lines += [f"  if type(its_{name}) is not type_{name}:"]
            lines += [f"   raise Wrong({name!r}, 'expected {inner[0].__name__}')"]
        elif shape == "object":
            lines += [f"  its_{name} = nested(read_{name}, {name!r}, its_{name})"]
        elif shape == "objects":
            lines += [f"  its_{name} = objects(read_{name}, {name!r}, its_{name})", " else:"]
            lines += [f"  its_{name} = ()"]
        else:
            lines += [
                f"  its_{name} = strings({name!r}, its_{name})",
                " else:",
                f"  its_{name} = ()",
            ]
    lines += [" if known != len(document):", "  refuse(document, kinds)"]
    if required:
        lines += [" if not required <= document.keys():"]
        lines += ["  raise Wrong('', 'missing ' + ', '.join(sorted(required - document.keys())))"]
    lines += [f" return cls({', '.join(f'{name}=its_{name}' for name in kinds)})"]
    _made_readers[cls] = _compiled("read", lines, names, cls)
    for name, inner in _nested_classes(cls):
        names[f"read_{name}"] = _reader(inner)
    return _made_readers[cls]


def _nested_classes(cls: type[Any]) -> list[tuple[str, type[Any]]]:
    kinds = field_kinds(cls).items()
    return [(name, inner) for name, (shape, inner) in kinds if shape in ("object", "objects")]


def _compiled(name: str, lines: list[str], names: dict[str, Any], cls: type[Any]) -> Function:
    """The function of that name in the lines, which hold the names of the model and no more."""
    exec(compile("\n".join(lines), f"<{cls.__name__} {name}>", "exec"), names)  # noqa: S102
    made: Function = names[name]
    return made


def _nested(read: Callable[[Any], T], name: str, part: Any) -> T:
    try:
        return read(part)
    except DocumentError as error:
        raise error.within(name) from None


def _objects(read: Callable[[Any], T], name: str, part: Any) -> tuple[T, ...]:
    if type(part) is not list:
        raise DocumentError(name, "expected an array")
    try:
        return tuple([read(each) for each in part])
    except DocumentError:
        for index, each in enumerate(part):  # again, one by one: now it matters which it was
            _nested(read, f"{name}[{index}]", each)
        raise


def _strings(name: str, part: Any) -> tuple[str, ...]:
    if type(part) is not list:
        raise DocumentError(name, "expected an array")
    if not all(type(each) is str for each in part):
        raise DocumentError(name, "expected an array of strings")
    return tuple(part)


def _refuse(document: dict[str, Any], kinds: dict[str, tuple[str, Any]]) -> None:
    """Say what is wrong with a document in which not every key gave a value."""
    for name, part in document.items():
        if name not in kinds:
            raise DocumentError("", f"unknown key {name!r}")
        if part is None:
            raise DocumentError(name, "expected a value, not null")
