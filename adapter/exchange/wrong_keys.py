"""What is wrong in a table of settings, key by key, in words that an operator can act on.

Each line names the key as it is written in the file (``sites.agency.role``) and what was expected
there. The value that stands there is never repeated: it may be a secret in the wrong place.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

_EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "string_type": 'text in quotes, "…"',
    "tuple_type": 'a list, ["…", "…"]',
    "list_type": 'a list, ["…", "…"]',
    "dict_type": "a table with keys of its own",
    "model_type": "a table with keys of its own",
    "model_attributes_type": "a table with keys of its own",
    "literal_error": "{expected}",
    "enum": "{expected}",
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than": "less than {lt}",
    "less_than_equal": "{le} or less",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "string_pattern_mismatch": "text of the form {pattern}",
}
"""What a check of pydantic expects; `{…}` is of its context (a limit, the allowed words)."""

_SHOWN = 12
"""A table with more keys than this is not listed whole for a key that it does not know."""


def wrong_keys(error: ValidationError, model: type[BaseModel], *, within: str = "") -> str:
    """Each key that is wrong and what was expected there: ``server.port: expected 65535 or less``.

    `model` is what was checked; `within` is the table that it describes, if it is not the file's
    own top (``sites.agency.settings``).
    """
    lines = []
    for each in error.errors(include_input=False, include_url=False):
        path = tuple(part for part in each["loc"] if part != "[key]")
        key = ".".join(filter(None, (within, _written(path))))
        said = _said(each["type"], each["msg"], each.get("ctx", {}), path, model)
        lines.append(f"{key}: {said}" if key else said)
    return "; ".join(lines)


def _written(path: Sequence[int | str]) -> str:
    """A path as the file writes it, with `[2]` for the second of several tables or items."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f"{'.' if text else ''}{part}"
    return text


def _said(
    kind: str, message: str, context: Mapping[str, Any], path: Sequence[int | str], model: Any
) -> str:
    if kind == "extra_forbidden":
        return _unknown(str(path[-1]), _keys_at(model, path[:-1]))
    if kind == "missing":
        means = _described(model, path)
        return f"this key is missing; expected {means}" if means else "this key is missing"
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    expected = _EXPECTED.get(kind)
    return "expected " + expected.format(**context) if expected else message


def _unknown(key: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.75)
    if near:
        return f"there is no such key; did you mean {near[0]}?"
    if known and len(known) <= _SHOWN:
        return f"there is no such key; expected one of {', '.join(known)}"
    return "there is no such key"


def _keys_at(model: Any, path: Sequence[int | str]) -> list[str]:
    """The keys that the table at a path may have; none where that is not known."""
    table = _model_at(model, path)
    if table is None:
        return []
    return [field.alias or name for name, field in table.model_fields.items() if not field.exclude]


def _described(model: Any, path: Sequence[int | str]) -> str:
    """What a key means, as its own description says."""
    table = _model_at(model, path[:-1])
    if table is None:
        return ""
    for name, field in table.model_fields.items():
        if path[-1] in (name, field.alias):
            kind = _model_in(field.annotation)
            return field.description or (f"a table [{_written(path)}]" if kind else "")
    return ""


def _model_at(model: Any, path: Sequence[int | str]) -> type[BaseModel] | None:
    """The model of the table at a path, through tables of tables, lists and unions."""
    here = _model_in(model)
    for index, part in enumerate(path):
        if here is None:
            return None
        field = here.model_fields.get(str(part))
        if field is None:
            return None
        here = _model_in(field.annotation)
        if get_origin(field.annotation) in (dict, tuple, list):  # one more part names the entry
            return _model_at(here, path[index + 2 :]) if index + 1 < len(path) else None
    return here


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that an annotation holds: itself, of a list or table, or beside None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (dict, tuple, list, Union, UnionType):
        found = [each for each in map(_model_in, get_args(annotation)) if each is not None]
        return found[0] if len(found) == 1 else None
    return None
