"""What is at hand of an input that comes in blocks: from where it is not understood yet, onward."""

from __future__ import annotations

from collections.abc import Iterable

_SMALL = 64 * 1024


class Window:
    """The bytes at hand.

    Attributes:
        data: from the place that was last slid to, as far as the input was read.
        whole: whether nothing follows.
    """

    def __init__(self, blocks: Iterable[bytes], least: int = 1) -> None:
        """Begin with at least so many bytes, if the input has them; a list is at hand whole."""
        self._blocks = iter(blocks)
        self.data = b""
        self.whole = False
        if isinstance(blocks, list):
            self.read_all()
        while len(self.data) < least and not self.whole:
            self.slide(0)

    def slide(self, at: int) -> None:
        """Let go what is before `at`, and read on.

        A block is read, and of what is long already as much again: so that what is looked through
        from its start each time costs no more than its length, twice.
        """
        kept = len(self.data) - at
        parts = [self.data[at:]]
        wanted = kept if kept > _SMALL else 1
        while wanted > 0:
            block = next(self._blocks, None)
            if block is None:
                self.whole = True
                break
            parts.append(block)
            wanted -= len(block)
        self.data = b"".join(parts)

    def read_all(self) -> None:
        """Have the rest of the input."""
        self.data = b"".join((self.data, *self._blocks))
        self.whole = True
