"""The collector of cycles waits while trees are made or walked.

What maps make and checks walk are trees, which hold no cycles. Looking for some among a hundred
thousand objects that are all in use would take longer than the work itself.
"""

from __future__ import annotations

import gc
from types import TracebackType


class CollectorWaits:
    """A context in which the collector does not run, in any thread of this process."""

    __slots__ = ("_collecting",)

    def __enter__(self) -> None:
        self._collecting = gc.isenabled()
        gc.disable()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._collecting:
            gc.enable()
