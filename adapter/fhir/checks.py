"""Is this resource right? The one question that everything incoming and outgoing is asked.

    >>> check({"resourceType": "Task", "status": "banana", "intent": "order"})[0].expression
    'Task.status'

Base R4 (4.0.1) for every resource type: structure, cardinality, JSON types, the forms of
primitives, choices, required bindings, reference targets, containment, Bundle rules and invariants.
A resource without issues is recognised by one fast pass (`adapter.fhir.fast`); only what that pass
does not approve of is walked again to say why (`adapter.fhir.explain`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapter.fhir import fast
from adapter.fhir.explain import explain
from adapter.fhir.outcome import Issue


def check(resource: Any, *, profiles: Sequence[str] = ()) -> list[Issue]:
    """Return the issues of a resource (a dict as JSON gives it), none when all is well."""
    try:
        if fast.clean(resource):
            return []
    except fast.EXCEPTIONS:
        pass  # a structure that the fast pass does not expect: the explaining pass says which
    return explain(resource)
