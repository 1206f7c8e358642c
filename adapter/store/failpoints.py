"""Named places where a test may kill the process or make a step fail.

Every place is registered when its module is imported, so that a test finds them all by itself. In
production nothing is armed, and passing a point costs one comparison.
"""

from __future__ import annotations

from collections.abc import Callable

_points: set[str] = set()
_armed: Callable[[str], None] | None = None


def point(name: str) -> Callable[[], None]:
    """Register a place; call what is returned when passing it."""
    _points.add(name)

    def passing() -> None:
        if _armed is not None:
            _armed(name)

    return passing


def names() -> tuple[str, ...]:
    """Every place that is registered, sorted."""
    return tuple(sorted(_points))


def arm(action: Callable[[str], None] | None) -> None:
    """Call `action` with the name of every place passed from now on; None disarms."""
    global _armed
    _armed = action
