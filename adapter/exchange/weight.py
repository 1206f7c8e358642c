"""How much memory a plugin's own objects hold, roughly: what hangs on its modules and systems."""

from __future__ import annotations

import gc
import os
import sys
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

MOST_OBJECTS = 3_000_000
_PLAIN = (dict, list, tuple, set, frozenset, deque)
_LEAVES = (bytes, bytearray, str)
_PAGE = os.sysconf("SC_PAGE_SIZE")
_STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Memory of this process that is in use; 0 where the system does not say."""
    try:
        return int(_STATM.read_text("ascii").split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0


def weigh(roots: Iterable[Any], packages: frozenset[str]) -> int:
    """Bytes held by the modules of these packages and by `roots`.

    Followed are plain containers and instances of the packages' own classes; what belongs to other
    libraries or to the core is not. It is a lower bound, and good enough to tell a leak.
    """
    modules = [
        vars(module)
        for name, module in tuple(sys.modules.items())
        if name.partition(".")[0] in packages
    ]
    waiting: deque[Any] = deque([*modules, *roots])
    seen: set[int] = set()
    total = 0
    while waiting and len(seen) < MOST_OBJECTS:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        kind = type(each)
        if kind in _LEAVES:
            total += sys.getsizeof(each)
        elif kind in _PLAIN or _own(kind, packages):
            total += sys.getsizeof(each)
            waiting.extend(gc.get_referents(each))
    return total


def _own(kind: type[Any], packages: frozenset[str]) -> bool:
    return kind is not type and str(kind.__module__).partition(".")[0] in packages
