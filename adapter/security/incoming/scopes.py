"""SMART v2 scopes of a backend client (SMART App Launch 2.2, "Scopes and Launch Context").

``system/Task.rus``, ``system/*.cruds``; the words of version 1 (``read``, ``write``, ``*``) are
taken for what they mean. A scope narrowed by search parameters is refused, never widened unsaid.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_SCOPE = re.compile(r"system/(\*|[A-Z][A-Za-z]{1,63})\.([a-z*]{1,5})\Z")
_LETTERS = re.compile(r"c?r?u?d?s?\Z")
_WORDS = {"read": "rs", "write": "cud", "*": "cruds"}


class ScopeRefused(ValueError):  # noqa: N818 - named for what happened
    """A scope that is not given here; the text says why, for whoever asked."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One scope: a resource type or ``*``, and some of the letters c, r, u, d, s."""

    kind: str
    letters: frozenset[str]

    def __str__(self) -> str:
        return f"system/{self.kind}." + "".join(each for each in "cruds" if each in self.letters)


class Scopes:
    """What a client, or one of its tokens, may do."""

    __slots__ = ("_of",)

    def __init__(self, scopes: Iterable[Scope]) -> None:
        self._of: dict[str, frozenset[str]] = {}
        for each in scopes:
            self._of[each.kind] = self._of.get(each.kind, frozenset()) | each.letters

    @classmethod
    def read(cls, words: Iterable[str]) -> Scopes:
        """Scopes as they are written.

        Raises:
            ScopeRefused: one of them is none, or none that is given here.
        """
        return cls(scope(each) for each in words)

    def allow(self, kind: str, letter: str) -> bool:
        """True if this may be done to this type."""
        return letter in self._of.get(kind, frozenset()) | self._of.get("*", frozenset())

    def cover(self, other: Scopes) -> bool:
        """True if everything that the other allows is allowed here."""
        return all(
            self.allow(kind, letter) for kind, letters in other._of.items() for letter in letters
        )

    def words(self) -> tuple[str, ...]:
        """As they are written, in order."""
        return tuple(str(Scope(kind, letters)) for kind, letters in sorted(self._of.items()))


def scope(text: str) -> Scope:
    """One scope.

    Raises:
        ScopeRefused: it is none, or none that is given here.
    """
    if "?" in text:
        raise ScopeRefused("scopes narrowed by search parameters are not given here")
    match = _SCOPE.match(text)
    letters = _WORDS.get(match[2], match[2]) if match else ""
    if match is None or not letters or not _LETTERS.match(letters):
        raise ScopeRefused("a scope is written system/Task.rus: a type or *, and letters of cruds")
    return Scope(match[1], frozenset(letters))
