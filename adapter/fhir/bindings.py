"""Is a code one of its value set? Listed sets by membership, open ones by the form of the code.

Only bindings that R4 calls required are checked, and those limited by a maxValueSet. Sets that
nobody can list (languages, MIME types, currencies, units) have a form instead; see
`adapter/fhir/definitions/SOURCE.md`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from adapter.fhir.definitions import Binding, codes

_LANGUAGE = re.compile(r"(?:[A-Za-z]{2,3}|[xi](?=-))(?:-[A-Za-z0-9]{1,8})*")
# CapabilityStatement.format also takes FHIR's own short names.
_MIME = re.compile(r"json|xml|ttl|[\w!#$&^.+-]+/[\w!#$&^.+*-]+(?: ?;[^;]+)*", re.ASCII)
_OPEN_FORMS = {
    "http://hl7.org/fhir/ValueSet/all-languages": (_LANGUAGE, "a language tag such as fr-CA"),
    "http://hl7.org/fhir/ValueSet/currencies": (re.compile("[A-Z]{3}"), "an ISO 4217 currency"),
    "http://hl7.org/fhir/ValueSet/mimetypes": (_MIME, "a MIME type such as application/pdf"),
    "http://www.rfc-editor.org/bcp/bcp13.txt": (_MIME, "a MIME type such as application/pdf"),
}
# Longer lists are named, not recited, in a message.
RECITE = 12


def enforced(binding: Binding | None) -> str | None:
    """Return the value set that a code may not leave, or None where R4 only recommends one."""
    if binding is None:
        return None
    return binding.value_set if binding.strength == "required" else binding.limit


@cache
def members(value_set: str) -> frozenset[str] | None:
    """Return the codes of a listed set, whatever their system."""
    listed = codes(value_set)
    return None if listed is None else frozenset().union(*listed.values())


@cache
def code_test(value_set: str) -> Callable[[Any], object] | None:
    """Return a callable that is true for a code of the set; None where neither list nor form is."""
    listed = members(value_set)
    if listed is not None:
        return listed.__contains__
    form = _OPEN_FORMS.get(value_set)
    return None if form is None else form[0].fullmatch


@cache
def described(value_set: str) -> str:
    """Say in words what a code must be."""
    listed = members(value_set)
    if listed is None:
        form = _OPEN_FORMS.get(value_set)
        return form[1] if form else f"a code of {value_set}"
    if len(listed) <= RECITE:
        return "one of " + ", ".join(sorted(listed))
    return f"a code of {value_set}"


@cache
def concept_test(owner: str, value_set: str) -> Callable[[Any], bool] | None:
    """Return the test of a Coding, or of a CodeableConcept (one coding suffices), against a set.

    None for other types, and for a set that cannot be listed. The test expects a dict whose
    structure is good.
    """
    listed = codes(value_set)
    if listed is None or owner not in {"Coding", "CodeableConcept"}:
        return None
    pairs = frozenset((system, code) for system, found in listed.items() for code in found)

    def coding(value: Any) -> bool:
        return (value.get("system"), value.get("code")) in pairs

    def concept(value: Any) -> bool:
        return any(map(coding, value.get("coding") or ()))

    return coding if owner == "Coding" else concept
