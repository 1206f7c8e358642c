"""The strict writer: bytes of a resource, or a refusal. Nothing leaves that fails the checks."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import orjson

from adapter.fhir.checks import check
from adapter.fhir.known import Known
from adapter.fhir.outcome import Issue, failed, operation_outcome


class NotConformant(ValueError):  # noqa: N818 - named for what it says
    """A resource that must not be sent; `issues` says why, in places and rules, never values."""

    def __init__(self, issues: Sequence[Issue]) -> None:
        self.issues = tuple(issues)
        wrong = [issue for issue in self.issues if issue.fails]
        places = "; ".join(f"{i.expression}: {i.rule or i.code}" for i in wrong[:5])
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        super().__init__(f"{len(wrong)} errors: {places}{more}")

    def outcome(self) -> dict[str, Any]:
        """The refusal as an OperationOutcome."""
        return operation_outcome(self.issues)


def write(
    resource: dict[str, Any], *, profiles: Sequence[str] = (), known: Known | None = None
) -> bytes:
    """Return the JSON of a resource; raises NotConformant when a check finds an error.

    `profiles` are checked besides those that the resource claims, with the definitions `known`
    (those shipped, unless given). Warnings do not stop it. Decimals are written digit for digit.
    """
    issues = check(resource, profiles=profiles, known=known)
    if failed(issues):
        raise NotConformant(issues)
    return dump(resource)


def dump(value: Any) -> bytes:
    """Return compact JSON of any JSON value, unchecked; a Decimal keeps its digits."""
    return orjson.dumps(value, default=_decimal)


def _decimal(value: Any) -> orjson.Fragment:
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(str(value))
    raise TypeError(f"{type(value).__name__} is not a JSON value")
