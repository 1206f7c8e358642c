"""What a fake does wrong, by name: always from now on, or once for each connection that comes."""

from __future__ import annotations

from collections.abc import Mapping


class Faults:
    """The faults that a fake on a socket has, and which of them is next.

    Args:
        known: each name with what it means.
    """

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = known
        self._waiting: list[str] = []
        self._always: str | None = None

    @property
    def always(self) -> str | None:
        """What is wrong with every connection that has no fault of its own; None: nothing."""
        return self._always

    @always.setter
    def always(self, name: str | None) -> None:
        if name is not None:
            self._check(name)
        self._always = name

    def next(self, *names: str) -> None:
        """Let the next connections fail, one each.

        Raises:
            ValueError: there is no fault of that name; the text lists those that there are.
        """
        for name in names:
            self._check(name)
        self._waiting += names

    def taken(self) -> str | None:
        """The fault that waited for a connection that comes now; None: it has none of its own."""
        return self._waiting.pop(0) if self._waiting else None

    def _check(self, name: str) -> None:
        if name not in self._known:
            raise ValueError(f"no fault {name!r}; there are: {', '.join(self._known)}")
