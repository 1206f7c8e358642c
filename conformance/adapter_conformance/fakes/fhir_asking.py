"""What the fake FHIR server is asked, and what it answers: the same over HTTP and in a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """One request; `path` is what stands behind the base, for example ``Task/1``.

    Header names are in small letters.
    """

    method: str
    path: str
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Any = field(default=None, repr=False)

    @classmethod
    def of_entry(cls, entry: Json) -> Asking:
        """What an entry of a batch or transaction asks."""
        said = entry.get("request", {})
        parts = urlsplit(said.get("url", ""))
        headers = {
            name: said[key]
            for key, name in (("ifMatch", "if-match"), ("ifNoneExist", "if-none-exist"))
            if key in said
        }
        return cls(
            method=said.get("method", ""),
            path=parts.path.strip("/"),
            query=parse_qsl(parts.query, keep_blank_values=True),
            headers=headers,
            body=entry.get("resource"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of it."""

    status: int
    body: Json | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):  # noqa: N818 - named for what it says
    """It is not done; the answer is an OperationOutcome."""

    def __init__(self, status: int, code: str, text: str, at: str = "") -> None:
        super().__init__(text)
        self.status, self.code, self.text, self.at = status, code, text, at

    def answer(self) -> Answer:
        """As the client sees it."""
        return Answer(status=self.status, body=outcome(self.code, self.text, self.at))


def outcome(code: str, text: str, at: str = "", severity: str = "error") -> Json:
    """An OperationOutcome with one issue; `code` is of the value set issue-type."""
    issue: Json = {"severity": severity, "code": code, "diagnostics": text}
    if at:
        issue["expression"] = [at]
    return {"resourceType": "OperationOutcome", "issue": [issue]}
