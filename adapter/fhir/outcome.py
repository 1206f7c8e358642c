"""What a check has to say: issues, and the OperationOutcome that carries them.

An `Issue` names where (`expression`: element names and indexes, as FHIR's OperationOutcome asks; a
choice goes by its element name, `Observation.value`), what kind (`code`: FHIR's issue-type codes),
how bad (`severity`), and says in a sentence what is wrong and what would be right. Values are never
quoted, for they may be personal; a wrong code of a coded element is, since codes are vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

FATAL = "fatal"
ERROR = "error"
WARNING = "warning"
INFORMATION = "information"
SEVERITIES = (FATAL, ERROR, WARNING, INFORMATION)


@dataclass(frozen=True, slots=True)
class Issue:
    """One finding. `rule` is the rule broken: R4's id (`per-1`) or a word (`unknown-element`)."""

    severity: str
    code: str
    expression: str
    diagnostics: str
    rule: str = ""

    @property
    def fails(self) -> bool:
        """Whether this finding makes the resource invalid."""
        return self.severity in (ERROR, FATAL)


def failed(issues: Iterable[Issue]) -> bool:
    """Whether any of the issues is an error or fatal."""
    return any(issue.fails for issue in issues)


def operation_outcome(issues: Iterable[Issue]) -> dict[str, Any]:
    """Return the OperationOutcome for the issues; with none, one that says all is well."""
    listed = [_issue(issue) for issue in issues]
    if not listed:
        listed = [
            {"severity": INFORMATION, "code": "informational", "diagnostics": "No issues found."}
        ]
    return {"resourceType": "OperationOutcome", "issue": listed}


def _issue(issue: Issue) -> dict[str, Any]:
    said = f"{issue.diagnostics} [{issue.rule}]" if issue.rule else issue.diagnostics
    made: dict[str, Any] = {
        "severity": issue.severity,
        "code": issue.code,
        "diagnostics": said,
    }
    if issue.expression:
        made["expression"] = [issue.expression]
    return made
