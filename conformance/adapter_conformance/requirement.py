"""The requirements: read from their file, each joined to the function that looks.

A check is an async function of a `Subject`. It returns, or raises `Failed` (the plugin does not do
it), `NotSupported` (it cannot apply, and why) or `NotRun` (it could not be looked at, and why). Any
other exception is the plugin's and counts as a failure.
"""

from __future__ import annotations

import importlib
import pkgutil
import tomllib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from adapter_conformance.subject import Subject

Level = Literal["Connects", "Reliable", "Complete"]
LEVELS: tuple[Level, ...] = ("Connects", "Reliable", "Complete")
Look = Callable[["Subject"], Awaitable[None]]


class Failed(Exception):  # noqa: N818 - a verdict, not an error of the kit
    """The plugin does not do what the requirement asks."""


class NotSupported(Exception):  # noqa: N818
    """The requirement cannot apply to this plugin; the text says why."""


class NotRun(Exception):  # noqa: N818
    """The kit could not look; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One requirement, as its file states it.

    Attributes:
        id: ``group.what``, stable.
        level: the lowest level that needs it.
        ability: an ability that the system must declare for it to apply; empty: it always does.
        needs: requirements that must pass before this one says anything.
        look: the function that looks.
    """

    id: str
    level: Level
    title: str
    why: str
    look: Look
    ability: str = ""
    needs: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """What stands before the dot."""
        return self.id.partition(".")[0]


_LOOKS: dict[str, Look] = {}


def check(requirement: str) -> Callable[[Look], Look]:
    """Mark a function as the check of a requirement.

    Raises:
        ValueError: the requirement has one already.
    """

    def mark(look: Look) -> Look:
        if requirement in _LOOKS:
            raise ValueError(f"two checks of {requirement}")
        _LOOKS[requirement] = look
        return look

    return mark


@cache
def requirements() -> tuple[Requirement, ...]:
    """All requirements, in the order of the file.

    Raises:
        ValueError: a requirement has no check, a check has no requirement, an id stands twice, or
            what one needs does not stand before it.
    """
    from adapter_conformance import checks

    for module in pkgutil.iter_modules(checks.__path__):
        importlib.import_module(f"{checks.__name__}.{module.name}")
    file = resources.files("adapter_conformance") / "requirements.toml"
    found: dict[str, Requirement] = {}
    for row in tomllib.loads(file.read_text("utf-8"))["requirement"]:
        identity, needs = row["id"], tuple(row.get("needs", ()))
        if identity in found or identity not in _LOOKS or row["level"] not in LEVELS:
            raise ValueError(
                f"requirements.toml: {identity} stands twice, or has no check or level"
            )
        found[identity] = Requirement(
            **{**row, "needs": needs, "look": _LOOKS[identity]},
        )
    known = set(found)
    if unstated := set(_LOOKS) - known:
        raise ValueError(f"requirements.toml lacks {', '.join(sorted(unstated))}")
    if wrong := [each.id for each in found.values() if not set(each.needs) <= known]:
        raise ValueError(f"requirements.toml: {wrong[0]} needs what is not there")
    return tuple(found.values())
