"""The lenient reader: what a peer sent, as a resource we can work with, and what that took.

A resource without faults comes back as it is. Otherwise it is mended where the intent is plain
(`adapter.fhir.mending`: numbers for strings, one value for an array, old system names, `%7C`,
unknown elements and more): each mending is a warning, and whatever had to be left out is in `lost`
with its raw value. Faults that nobody can mend stay as errors among the issues; the caller decides
what to do with them (`ReadResult.fails`). Input that is no resource at all raises `Unreadable`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from adapter.fhir import fast
from adapter.fhir.checks import check
from adapter.fhir.definitions import resource_types
from adapter.fhir.mending import Lost, mend
from adapter.fhir.outcome import FATAL, WARNING, Issue, failed, operation_outcome
from adapter.fhir.safe_json import USUAL, Limits, UnsafeJson, loads

__all__ = ["Lost", "ReadResult", "Unreadable", "read", "read_value"]

# Signs in the bytes that a valid resource may still need mending: old names, escaped bars.
_SIGNS = (b"/fhir/v2/", b"/fhir/v3/", b"ehealthontario.ca", b"clicsante.ca", b"%7C", b"%7c", b"\\/")
# Required elements that real peers leave out, and that nothing here depends on.
_FORGIVEN = {
    "MessageHeader.source": "the sender does not say who it is",
    "MessageHeader.source.endpoint": "the sender gives no address to answer to",
}
# Links that lead nowhere and names without a home are kept as they came.
_HARMLESS = frozenset({"bundle-reference", "full-url", "absolute", "unknown-code"})


class Unreadable(ValueError):  # noqa: N818 - named for what it says
    """Input that is not a FHIR R4 resource; `issues` says why, without quoting it."""

    def __init__(self, *issues: Issue) -> None:
        super().__init__("; ".join(issue.diagnostics for issue in issues))
        self.issues = issues

    def outcome(self) -> dict[str, Any]:
        """The refusal as an OperationOutcome."""
        return operation_outcome(self.issues)


@dataclass(frozen=True, slots=True)
class ReadResult:
    """A resource as read, its issues, what was left out, and the bytes it came in."""

    resource: dict[str, Any] = field(repr=False)
    issues: tuple[Issue, ...] = ()
    lost: tuple[Lost, ...] = ()
    raw: bytes = field(default=b"", repr=False)

    @property
    def fails(self) -> bool:
        """Whether faults remain that could not be mended."""
        return failed(self.issues)


def read(data: bytes, *, limits: Limits = USUAL) -> ReadResult:
    """Read one resource from JSON; raises Unreadable."""
    try:
        value = loads(data, limits)
    except UnsafeJson as refused:
        raise Unreadable(refused.issue) from None
    return _read(value, data, suspicious=may_need_mending(data))


def may_need_mending(data: bytes) -> bool:
    """Whether the bytes hold a sign of what no check refuses and a peer still meant otherwise."""
    return any(sign in data for sign in _SIGNS)


def read_value(value: Any) -> ReadResult:
    """Read one resource from a JSON value that is already parsed; it is not changed."""
    return _read(value, b"", suspicious=True)


def _read(value: Any, raw: bytes, *, suspicious: bool) -> ReadResult:
    kind = value.get("resourceType") if type(value) is dict else None
    if type(kind) is not str or kind not in resource_types():
        text = "the input is not a FHIR R4 resource: it needs an R4 resourceType"
        raise Unreadable(Issue(FATAL, "structure", "", text, "resource-type"))
    if not suspicious and _is_clean(value):
        return ReadResult(value, raw=raw)
    mended = mend(value)
    remaining = [_forgive(issue, mended.resource) for issue in check(mended.resource)]
    return ReadResult(mended.resource, (*mended.issues, *remaining), mended.lost, raw)


def _is_clean(value: Any) -> bool:
    try:
        return fast.clean(value)
    except fast.EXCEPTIONS:
        return False


def _forgive(issue: Issue, resource: dict[str, Any]) -> Issue:
    """Make a warning of an error that a peer's habit causes and that does no harm."""
    if issue.rule in _HARMLESS:
        return replace(issue, severity=WARNING)
    if issue.rule != "required":
        return issue
    at = issue.expression
    for path, why in _FORGIVEN.items():
        own = resource.get("resourceType") == "MessageHeader" and at == path
        below = path.removeprefix("MessageHeader")
        if own or (at.endswith(f".resource{below}") and _is_header(at, resource)):
            return replace(issue, severity=WARNING, diagnostics=why)
    return issue


def _is_header(expression: str, bundle: dict[str, Any]) -> bool:
    """Whether `Bundle.entry[n].resource...` lies in a MessageHeader."""
    index = expression.partition("entry[")[2].partition("]")[0]
    entries = bundle.get("entry")
    if not index.isdigit() or type(entries) is not list or int(index) >= len(entries):
        return False
    resource = entries[int(index)].get("resource")
    return type(resource) is dict and resource.get("resourceType") == "MessageHeader"
