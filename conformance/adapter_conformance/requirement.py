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
from functools import cached_property
from importlib import resources
from typing import Any, Literal

Level = Literal["Connects", "Reliable", "Complete"]
LEVELS: tuple[Level, ...] = ("Connects", "Reliable", "Complete")
Look = Callable[[Any], Awaitable[None]]
"""A check of a `Subject`; those of an endpoint take an `adapter_conformance.endpoint.Endpoint`."""


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
        roles: for an endpoint, the roles that it applies to.
    """

    id: str
    level: Level
    title: str
    why: str
    look: Look
    ability: str = ""
    needs: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """What stands before the dot."""
        return self.id.partition(".")[0]


class Catalogue:
    """The requirements of one file, and the functions of the package beside it that look."""

    def __init__(self, package: str) -> None:
        self._package = package
        self._looks: dict[str, Look] = {}

    def check(self, requirement: str) -> Callable[[Look], Look]:
        """Mark a function as the check of a requirement.

        Raises:
            ValueError: the requirement has one already.
        """

        def mark(look: Look) -> Look:
            if requirement in self._looks:
                raise ValueError(f"two checks of {requirement}")
            self._looks[requirement] = look
            return look

        return mark

    @cached_property
    def requirements(self) -> tuple[Requirement, ...]:
        """All requirements, in the order of the file.

        Raises:
            ValueError: a requirement has no check, a check has no requirement, an id stands twice,
                or what one needs is not there.
        """
        checks = importlib.import_module(f"{self._package}.checks")
        for module in pkgutil.iter_modules(checks.__path__):
            importlib.import_module(f"{checks.__name__}.{module.name}")
        file = resources.files(self._package) / "requirements.toml"
        found: dict[str, Requirement] = {}
        for row in tomllib.loads(file.read_text("utf-8"))["requirement"]:
            identity, look = row["id"], self._looks.get(row["id"])
            if identity in found or look is None or row["level"] not in LEVELS:
                raise ValueError(f"{file}: {identity} stands twice, or has no check or level")
            lists = {key: tuple(row.get(key, ())) for key in ("needs", "roles")}
            found[identity] = Requirement(**{**row, **lists, "look": look})
        if unstated := set(self._looks) - set(found):
            raise ValueError(f"{file} lacks {', '.join(sorted(unstated))}")
        if wrong := [each.id for each in found.values() if not set(each.needs) <= set(found)]:
            raise ValueError(f"{file}: {wrong[0]} needs what is not there")
        return tuple(found.values())


PLUGIN = Catalogue("adapter_conformance")
check = PLUGIN.check


def requirements() -> tuple[Requirement, ...]:
    """What is asked of a plugin."""
    return PLUGIN.requirements
