"""The secrets that this process has read, so that none of them gets into a log or an error.

A plugin may put its own settings into what it logs or raises. Whatever goes through `without` has
every secret that was remembered replaced; short values are not remembered, because they would be
found in words.
"""

from __future__ import annotations

from adapter.plugin.errors import AdapterError

SHORTEST = 6
MOST = 2_000
HIDDEN = "[secret]"
_known: dict[str, None] = {}


def remember(secret: str) -> str:
    """Hide this value from now on; gives it back. The oldest of very many are forgotten."""
    if len(secret) >= SHORTEST:
        _known.pop(secret, None)
        _known[secret] = None
        while len(_known) > MOST:
            del _known[next(iter(_known))]
    return secret


def without(text: str) -> str:
    """A text with every remembered secret replaced."""
    for secret in tuple(_known):
        if secret in text:
            text = text.replace(secret, HIDDEN)
    return text


def scrubbed(error: AdapterError) -> AdapterError:
    """The same error, with no secret in what it says."""
    if _known:
        error.message, error.fix = without(error.message), without(error.fix)
        error.detail = without(error.detail)
        error.args = tuple(without(each) if isinstance(each, str) else each for each in error.args)
    return error
