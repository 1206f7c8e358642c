"""The rules of the strict fake: what may change in a Task, and JSON Patch."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

from adapter_conformance.fakes.fhir_asking import Json, Refusal

WITH_REASON = ("rejected", "cancelled", "on-hold", "failed")
TASK = frozenset(
    [
        "draft",
        "requested",
        "received",
        "accepted",
        "rejected",
        "ready",
        "cancelled",
        "in-progress",
        "on-hold",
        "failed",
        "completed",
        "entered-in-error",
    ]
)
REQUEST = frozenset(
    ["draft", "active", "on-hold", "revoked", "completed", "entered-in-error", "unknown"]
)
VALUES: Mapping[tuple[str, str], Callable[[Any], bool]] = {
    ("Patient", "birthDate"): lambda value: bool(re.fullmatch(r"\d{4}(-\d\d){0,2}", str(value))),
    ("Patient", "gender"): lambda value: value in ("male", "female", "other", "unknown"),
    ("Patient", "name"): lambda value: isinstance(value, list),
    ("Task", "status"): TASK.__contains__,
    ("ServiceRequest", "status"): REQUEST.__contains__,
    ("", "identifier"): lambda value: isinstance(value, list | dict),
}
START = ("draft", "requested")


@cache
def moves() -> frozenset[tuple[str, str]]:
    """The moves that somebody may make, as the kit's own oracle draws them."""
    file = resources.files("adapter_conformance") / "lifecycle.toml"
    rows = tomllib.loads(file.read_text("utf-8"))["move"]
    return frozenset((row["from"], row["to"]) for row in rows)


def check_values(resource: Json) -> None:
    """Refuse a few values that FHIR does not allow; the text never repeats one."""
    kind = resource["resourceType"]
    for (where, name), fine in VALUES.items():
        if where in ("", kind) and name in resource and not fine(resource[name]):
            raise Refusal(422, "value", "this value is not allowed", f"{kind}.{name}")


def check_start(task: Json) -> None:
    """Refuse a new Task that has begun already."""
    if task.get("status") not in START:
        raise Refusal(409, "business-rule", "a new Task is draft or requested", "Task.status")


def check_move(before: Json, after: Json) -> None:
    """Refuse a status that does not follow."""
    was, now = str(before.get("status")), str(after.get("status"))
    if was != now and (was, now) not in moves():
        text = f"the status {now} does not follow {was}"
        raise Refusal(409, "business-rule", text, "Task.status")


def check_reason(after: Json) -> None:
    """Refuse a refusal that does not say why (SDOH-CC 3.0, Task.statusReason)."""
    said = after.get("statusReason")
    if said is not None and not said.get("text"):
        raise Refusal(422, "required", "a statusReason has a text", "Task.statusReason.text")


def check_completed(after: Json) -> None:
    """Refuse an end without an outcome (SDOH-CC 3.0: at least one output)."""
    if after.get("status") == "completed" and not after.get("output"):
        raise Refusal(422, "required", "completed needs an output", "Task.output")


def check_outputs(before: Json, after: Json) -> None:
    """Refuse to take an output away."""
    if any(each not in after.get("output", []) for each in before.get("output", [])):
        raise Refusal(422, "business-rule", "outputs are only added", "Task.output")


def check_fixed(before: Json, after: Json) -> None:
    """Refuse another focus or client."""
    for name in ("focus", "for"):
        if before.get(name) != after.get(name):
            raise Refusal(422, "business-rule", "this cannot be changed", f"Task.{name}")


def references(value: Any, at: str) -> Iterator[tuple[str, str]]:
    """Every literal reference and where it stands."""
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"], f"{at}.reference"
        for name, part in value.items():
            yield from references(part, f"{at}.{name}")
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from references(part, f"{at}[{number}]")


def patched(resource: Json, change: Any) -> Json:
    """RFC 6902: add, replace, remove and test."""
    for step in change if isinstance(change, list) else [None]:
        if not isinstance(step, dict) or step.get("op") not in (
            "add",
            "replace",
            "remove",
            "test",
        ):
            raise Refusal(400, "invalid", "it is no JSON Patch that is known here")
        _step(resource, step)
    return resource


def _step(resource: Json, step: Json) -> None:
    *before, last = [part.replace("~1", "/").replace("~0", "~") for part in _path(step)]
    place: Any = resource
    try:
        for part in before:
            place = place[int(part)] if isinstance(place, list) else place[part]
        _apply(place, last, step)
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise Refusal(422, "processing", "the patch does not fit", "http.body") from error


def _path(step: Json) -> list[str]:
    return str(step.get("path", "")).removeprefix("/").split("/")


def _apply(place: Any, last: str, step: Json) -> None:
    if isinstance(place, list):
        at = len(place) if last == "-" else int(last)
        if step["op"] == "add":
            place.insert(at, step["value"])
            return
        key: Any = at
    else:
        key = last
    if step["op"] == "add":
        place[key] = step["value"]
    elif step["op"] == "remove":
        del place[key]
    elif step["op"] == "replace":
        place[key]  # it must be there
        place[key] = step["value"]
    elif place[key] != step["value"]:
        raise Refusal(422, "processing", "the test of the patch failed", "http.body")
