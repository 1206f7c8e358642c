"""Is this resource right? The one question that everything incoming and outgoing is asked.

    >>> check({"resourceType": "Task", "status": "banana", "intent": "order"})[0].expression
    'Task.status'

Base R4 (4.0.1) for every resource type: structure, cardinality, JSON types, the forms of
primitives, choices, required bindings, reference targets, containment, Bundle rules and invariants.
A resource without issues is recognised by one fast pass (`adapter.fhir.fast`); only what that pass
does not approve of is walked again to say why (`adapter.fhir.explain`).

Then the profiles: those that the resource, its contained resources and the entries of a Bundle
claim in meta.profile, and those asked for. One that is not at hand is a warning, never an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapter.fhir import fast
from adapter.fhir.bundles import references
from adapter.fhir.conformance import profile_issues
from adapter.fhir.explain import explain
from adapter.fhir.known import Known, shipped
from adapter.fhir.outcome import Issue
from adapter.plugin.collector import CollectorWaits
from adapter.plugin.errors import DataError


def check(
    resource: Any, *, profiles: Sequence[str] = (), known: Known | None = None
) -> list[Issue]:
    """Return the issues of a resource (a dict as JSON gives it), none when all is well.

    `profiles` are canonicals to check besides those claimed; `known` are the definitions at hand,
    those that ship with the adapter unless more are given.
    """
    with CollectorWaits():
        issues = check_base(resource)
        return issues + profile_issues(resource, profiles, known or shipped())


def refuse_faulty(resource: Any) -> None:
    """Refuse a resource that we made and that is not right: nothing of the kind goes out.

    Raises:
        DataError: ``fhir.not-conformant``, with the first error and where it is.
    """
    for issue in check(resource):
        if issue.severity in ("error", "fatal"):
            raise DataError(
                "fhir.not-conformant",
                f"what the mapping makes is not valid R4: {issue.code} at {issue.expression}",
                fix="correct the value in the message, or the row that carries it",
                detail=issue.diagnostics,
            )


def refuse_dangling(resource: Any) -> None:
    """Refuse a resource that we made and linked, and that still names what no Bundle of it has.

    Raises:
        DataError: ``fhir.not-conformant``.
    """
    for reference in references(resource):
        if reference["reference"].startswith("urn:uuid:"):
            raise DataError(
                "fhir.not-conformant",
                "what the mapping makes refers to a resource that it does not make",
                fix="correct the row that makes the reference, or the one that makes its target",
            )


def check_base(resource: Any) -> list[Issue]:
    """Return the issues of a resource against base R4 alone, whatever it claims."""
    try:
        if fast.clean(resource):
            return []
    except fast.EXCEPTIONS:
        pass  # a structure that the fast pass does not expect: the explaining pass says which
    return explain(resource)
