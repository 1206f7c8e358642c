"""How a Task on the peer's server is to look after our news: statuses set, outputs appended.

The Task there is the peer's; only status, statusReason, businessStatus, executionPeriod, output and
note are ours to change. Outputs and notes are added, never replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from adapter_fhir.outputs import codings
from adapter_fhir.quirks import Quirks
from adapter_fhir.references import rewritten

Json = dict[str, Any]
SET = ("status", "statusReason", "businessStatus", "executionPeriod")
ENDED = frozenset({"rejected", "cancelled", "completed", "failed", "entered-in-error"})


def changed(task: Json, ours: Json, places: Mapping[str, str], quirks: Quirks) -> Json:
    """The peer's Task with our news; equal to it if there is none.

    Args:
        places: where what our outputs refer to is on the peer's server, by its name in our Bundle.
    """
    after = dict(task)
    for name in SET:
        if name in ours and name not in quirks.drops:
            after[name] = ours[name]
    if after.get("status") != task.get("status") and "statusReason" not in ours:
        after.pop("statusReason", None)
    outputs = _placed(ours.get("output") or [], places)
    added = _added(task.get("output") or [], outputs)
    if added:
        after["output"] = [*(task.get("output") or []), *added]
    notes = _notes(ours, quirks)
    more = _added(task.get("note") or [], notes, key="text")
    if more:
        after["note"] = [*(task.get("note") or []), *more]
    return after


def patch(before: Json, after: Json) -> list[Json]:
    """The JSON Patch (RFC 6902) that makes one Task of another."""
    made: list[Json] = []
    for name in (*SET, "output", "note"):
        if name in after and name not in before:
            made.append({"op": "add", "path": f"/{name}", "value": after[name]})
        elif name in before and name not in after:
            made.append({"op": "remove", "path": f"/{name}"})
        elif name in before and after[name] != before[name]:
            if name in ("output", "note"):
                made += [
                    {"op": "add", "path": f"/{name}/-", "value": each}
                    for each in after[name][len(before[name]) :]
                ]
            else:
                made.append({"op": "replace", "path": f"/{name}", "value": after[name]})
    return made


def _placed(outputs: list[Json], places: Mapping[str, str]) -> list[Json]:
    """Outputs whose references lead to the peer's server; those that could not be put there say
    what they were in words.
    """
    made = []
    for output in outputs:
        reference = (output.get("valueReference") or {}).get("reference")
        if reference is not None and reference not in places:
            continue
        made.append(
            rewritten(
                output,
                lambda each: {
                    **each,
                    "reference": places.get(each["reference"], each["reference"]),
                },
            )
        )
    return made


def _notes(ours: Json, quirks: Quirks) -> list[Json]:
    """Our notes, and the words of elements that the server drops."""
    notes = [each for each in ours.get("note") or [] if each.get("text")]
    for name in quirks.drops:
        words = _words(ours.get(name))
        if words:
            notes.append({"text": words})
    return notes


def _words(concept: Any) -> str:
    if not isinstance(concept, dict):
        return ""
    said = concept.get("text") or next(
        (each.get("display") or each.get("code") for each in codings(concept)), ""
    )
    return str(said)


def _added(held: list[Json], given: list[Json], key: str = "") -> list[Json]:
    """What is given and not held; compared by one element if `key` names it."""

    def name(each: Json) -> bytes:
        return orjson.dumps(each.get(key) if key else each, option=orjson.OPT_SORT_KEYS)

    known = {name(each) for each in held}
    if not key:
        known |= {_essence(each) for each in held}
        return [each for each in given if name(each) not in known and _essence(each) not in known]
    return [each for each in given if name(each) not in known]


def _essence(output: Json) -> bytes:
    """What two outputs are compared by: their kind and value, not how a server completed them."""
    kinds = sorted(f"{c.get('system')}|{c.get('code')}" for c in codings(output.get("type")))
    value = {name: each for name, each in output.items() if name.startswith("value")}
    reference = (value.get("valueReference") or {}).get("reference")
    said: Any = reference or value
    return orjson.dumps([kinds, said], option=orjson.OPT_SORT_KEYS)
