"""Patches of a Task: JSON Patch (RFC 6902) and FHIRPath Patch (FHIR R4 3.1.0.8.1), the part of
both that a referral needs: add, replace, remove and test on a few elements.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from adapter.api.faults import Refused, refused

Json = dict[str, Any]
Patch = Callable[[Json], Json]
ELEMENTS = ("status", "statusReason", "businessStatus", "owner", "output", "note")
LISTS = ("output", "note")
_PATH = re.compile(r"Task(?:\.([A-Za-z]+)(?:\[(\d{1,4})\])?)?\Z")
_MOST = 100


def json_patch(operations: Any) -> Patch:
    """A patch out of a JSON Patch document.

    Raises:
        Refused: 400, it is no such document; 422, it touches what cannot be patched.
    """
    if not isinstance(operations, list) or len(operations) > _MOST:
        raise refused(400, "A JSON Patch is an array of at most 100 operations.", "Task")
    steps = [_json_step(each, index) for index, each in enumerate(operations)]
    return _all(steps)


def fhirpath_patch(parameters: Json) -> Patch:
    """A patch out of a Parameters resource with one parameter ``operation`` for each change.

    Raises:
        Refused: 400, it is no such document; 422, it touches what cannot be patched.
    """
    steps = []
    for index, each in enumerate(parameters.get("parameter") or ()):
        at = f"Parameters.parameter[{index}]"
        if each.get("name") != "operation":
            raise refused(400, "each parameter is named operation", at)
        steps.append(_fhirpath_step(_parts(each), at))
    if not steps or len(steps) > _MOST:
        raise refused(400, "between 1 and 100 operations are needed", "Parameters.parameter")
    return _all(steps)


def _all(steps: list[Patch]) -> Patch:
    def apply(task: Json) -> Json:
        changed = deepcopy(task)
        for step in steps:
            changed = step(changed)
        return changed

    return apply


def _json_step(operation: Any, index: int) -> Patch:
    at = f"Task.patch[{index}]"
    if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
        raise refused(400, "an operation has op and path", at)
    op, steps = operation.get("op"), operation["path"].split("/")
    if op not in ("add", "replace", "remove", "test"):
        raise refused(422, "the operations here are add, replace, remove and test", at)
    if op != "remove" and "value" not in operation:
        raise refused(400, "the operation needs a value", at)
    names = [each.replace("~1", "/").replace("~0", "~") for each in steps[1:]]
    if steps[0] or not names or names[0] not in ELEMENTS:
        raise _not_here(at)
    value = operation.get("value")

    def apply(task: Json) -> Json:
        try:
            _at_pointer(task, names, op, value, at)
        except (KeyError, IndexError, ValueError, TypeError):
            raise refused(422, "the path leads to nothing in this Task", at) from None
        return task

    return apply


def _at_pointer(node: Any, names: list[str], op: str, value: Any, at: str) -> None:
    """One RFC 6902 operation; the last name may be ``-`` for the end of a list."""
    for name in names[:-1]:
        node = node[_index(name)] if isinstance(node, list) else node[name]
    last = names[-1]
    if op == "test":
        held = node[_index(last)] if isinstance(node, list) else node[last]
        if held != value:
            raise refused(422, "the test failed", at, rule="test")
    elif isinstance(node, list):
        if op == "add":
            place = len(node) if last == "-" else _index(last)
            if place > len(node):
                raise IndexError
            node.insert(place, value)
        elif op == "replace":
            node[_index(last)] = value
        else:
            del node[_index(last)]
    elif not isinstance(node, dict):
        raise TypeError
    elif op == "add":
        if last in LISTS and not isinstance(value, list):
            raise TypeError
        node[last] = value
    elif op == "replace":
        node[last] = value if last in node else _absent()
    else:
        del node[last]


def _absent() -> Any:
    raise KeyError


def _index(name: str) -> int:
    if not (name.isascii() and name.isdigit()) or len(name) > 6:
        raise ValueError
    return int(name)


def _parts(parameter: Json) -> Json:
    """The parts of one operation; a value of any type is under ``value``."""
    found: Json = {}
    for part in parameter.get("part") or ():
        values = [value for name, value in part.items() if name.startswith("value")]
        if values:
            found[str(part.get("name"))] = values[0]
        elif part.get("part"):
            found[str(part.get("name"))] = _built(part["part"])
    return found


def _built(parts: list[Json]) -> Json:
    """A backbone element written as parts, such as an output (FHIR R4 3.1.0.8.1)."""
    made: Json = {}
    for part in parts:
        name = str(part.get("name"))
        for key, value in part.items():
            if key.startswith("value"):
                choice = name == "value"
                made[f"value{key.removeprefix('value')}" if choice else name] = value
        if part.get("part"):
            made[name] = _built(part["part"])
    return made


def _fhirpath_step(parts: Json, at: str) -> Patch:
    op, match = parts.get("type"), _PATH.match(str(parts.get("path", "")))
    if op not in ("add", "replace", "delete"):
        raise refused(422, "the types of operation here are add, replace and delete", at)
    name = match[1] if match else None
    if op == "add" and match and name is None:
        name = parts.get("name")
    if match is None or name not in ELEMENTS:
        raise _not_here(at)
    if op != "delete" and "value" not in parts:
        raise refused(400, "the operation needs a value", at)
    place = int(match[2]) if match[2] else None
    value = parts.get("value")

    def apply(task: Json) -> Json:
        _at_path(task, str(name), place, str(op), value, at)
        return task

    return apply


def _at_path(task: Json, name: str, place: int | None, op: str, value: Any, at: str) -> None:
    if op == "add":
        if name in LISTS:
            task.setdefault(name, []).append(value)
        else:
            task[name] = value
    elif op == "delete":  # nothing there is no error (FHIRPath Patch, delete)
        if place is None:
            task.pop(name, None)
        elif place < len(task.get(name, ())):
            del task[name][place]
    elif place is not None and place < len(task.get(name, ())):
        task[name][place] = value
    elif place is None and name in task:
        task[name] = value
    else:
        raise refused(422, "the path leads to nothing in this Task", at)


def _not_here(at: str) -> Refused:
    return refused(422, f"what can be patched is Task.{', Task.'.join(ELEMENTS)}", at)
