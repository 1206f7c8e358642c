"""R4's invariants, hand-written by id, as plain functions on dicts (no FHIRPath).

The definitions say which type or element names which invariant; `rules_for` answers what each
means. Ids that the definitions name and this table leaves out are in `LEFT_OUT` with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable

from adapter.fhir.invariants.clinical import CLINICAL
from adapter.fhir.invariants.datatypes import DATA_TYPES
from adapter.fhir.invariants.definitional import DEFINITIONAL
from adapter.fhir.invariants.exchange import EXCHANGE
from adapter.fhir.invariants.questionnaire import QUESTIONNAIRE
from adapter.fhir.invariants.rule import Invariant

__all__ = ["INVARIANTS", "LEFT_OUT", "Invariant", "is_r4_rule", "rules_for"]

INVARIANTS = {
    one.key: one for one in (*DATA_TYPES, *CLINICAL, *EXCHANGE, *QUESTIONNAIRE, *DEFINITIONAL)
}

LEFT_OUT: dict[str, str] = {
    "dom-2 dom-3 dom-4 dom-5 ref-1": "need the whole resource: adapter.fhir.links",
    "txt-1 txt-2": "the form of xhtml: adapter.fhir.narrative",
    "ele-1 ext-1 dom-6": "hold everywhere: adapter.fhir.explain; dom-6 is advice",
    "ppc-2 ppc-3 ppc-4 ppc-5": "R4 tests for the system 'something', so that they never fire",
    "ctm-1": "needs the referenced resource",
    "ig-1 ig-2 md-1 evv-1 tst-13": "definitions that no referral carries",
    "eld-1 eld-3 eld-4 eld-5 eld-6 eld-7 eld-11 eld-12 eld-13 eld-15 eld-16 eld-17 eld-19 eld-20"
    " eld-21": "a StructureDefinition's inner rules: its readers here check what they use",
    "sdf-1 sdf-2 sdf-3 sdf-5 sdf-8 sdf-8a sdf-8b sdf-9 sdf-10 sdf-11 sdf-14 sdf-15 sdf-15a sdf-16"
    " sdf-17 sdf-18 sdf-19 sdf-20 sdf-21 sdf-22 sdf-23": "likewise",
    "tcp-1 tst-3 tst-10 tst-11 tst-12": "test scripts and terminology servers: no referral has one",
}


def is_r4_rule(key: str) -> bool:
    """Whether R4 itself has an invariant of this id, checked here or left out for a reason."""
    return key in INVARIANTS or any(key in keys.split() for keys in LEFT_OUT)


def rules_for(owner: str, keys: Iterable[str]) -> tuple[Invariant, ...]:
    """Return the invariants with these ids; an id that types share is looked up per type."""
    found = (INVARIANTS.get(f"{key}@{owner}") or INVARIANTS.get(key) for key in keys)
    return tuple(one for one in found if one is not None)
