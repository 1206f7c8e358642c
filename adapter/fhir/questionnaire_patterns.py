"""Regular expressions that come with a Questionnaire, run so that no answer can hang us.

A pattern comes from outside and so does the answer it is held against: the pattern is bounded in
length and the search in time. The `regex` library is used because Python's own has no time limit.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache

import regex

LONGEST_PATTERN = 1000
"""Characters; a longer pattern is not run."""
TIME_LIMIT = 0.05
"""Seconds that one answer may take."""
ALL_TOGETHER = 1.0
"""Seconds that all the answers of one response may take."""


class PatternError(ValueError):
    """The pattern could not be used: it is too long, not valid, or took too long."""


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> regex.Pattern[str]:
    if len(pattern) > LONGEST_PATTERN:
        raise PatternError(f"the pattern is longer than {LONGEST_PATTERN} characters")
    try:
        return regex.compile(pattern)
    except (regex.error, RecursionError, OverflowError) as error:
        raise PatternError("the pattern is not a valid regular expression") from error


@dataclass(slots=True)
class Patterns:
    """Matches the texts of one response within one allowance of time."""

    left: float = ALL_TOGETHER

    def matches(self, pattern: str, text: str) -> bool:
        """Whether the whole text matches the pattern (the `regex` extension of FHIR R4).

        Raises PatternError when the pattern is not valid, too long, takes longer than TIME_LIMIT,
        or when the allowance of this response is used up.
        """
        if self.left <= 0:
            raise PatternError("the patterns of this form took too long altogether")
        compiled = _compiled(pattern)
        started = time.perf_counter()
        try:
            return compiled.fullmatch(text, timeout=TIME_LIMIT) is not None
        except TimeoutError as error:
            raise PatternError("the pattern took too long on this answer") from error
        finally:
            self.left -= time.perf_counter() - started
