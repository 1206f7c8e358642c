"""Whom a resource is about: the patient that an audit event names beside it (IHE BALP 1.1.3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from adapter.store.resources import ResourceRow

PLACES = ("subject", "for", "patient")
"""Where the types that are served here say whom they are about; Appointment by participant."""


def patient_of(row: ResourceRow) -> str | None:
    """The id of the patient on this server that a resource is about, or None."""
    if row.type == "Patient":
        return row.id
    for each in _said(row.content):
        kind, _, own = str(each.get("reference", "")).partition("/")
        if kind == "Patient" and own:
            return own.partition("/")[0]
    return None


def one_patient(rows: Iterable[ResourceRow]) -> str | None:
    """The patient that resources are about, as far as they are about any; None if of several."""
    found = {patient_of(row) for row in rows} - {None}
    return found.pop() if len(found) == 1 else None


def _said(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (content[name] for name in PLACES if isinstance(content.get(name), dict))
    yield from (each["actor"] for each in content.get("participant", ()) if "actor" in each)
