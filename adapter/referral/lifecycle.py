"""The lifecycle of a fulfilment: a table that says who may set which status when.

Tables are ``lifecycles/*.toml``. A move that no row allows is refused, whoever asks and by whatever
road: page, message or API. The same status again is no move: notes and outputs may be added.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal, get_args

from adapter.referral.model import TaskStatus

Actor = Literal["requester", "performer"]
STATUSES: tuple[TaskStatus, ...] = get_args(TaskStatus)
ACTORS: tuple[Actor, ...] = get_args(Actor)


class LifecycleError(ValueError):
    """A lifecycle table that contradicts itself; the message names the file and the row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle:
    """One dialect's table.

    Attributes:
        name: the dialect, as configured.
        initial: statuses that a fulfilment may be born with.
        terminal: statuses that nothing but entered-in-error leaves.
        not_used: statuses that this dialect never sends.
        required: what must be given with a status: ``reason``, ``output``.
        accept: foreign statuses and what they are here.
        moves: the actors for each (from, to).
    """

    name: str
    title: str
    initial: frozenset[str]
    terminal: frozenset[str]
    not_used: frozenset[str]
    required: Mapping[str, frozenset[str]]
    accept: Mapping[str, TaskStatus]
    moves: Mapping[tuple[str, str], frozenset[Actor]]

    def allows(self, before: str, after: str, actor: Actor) -> bool:
        """True if this actor may make this move."""
        return actor in self.moves.get((before, after), frozenset())

    def choices(self, before: str, actor: Actor) -> tuple[TaskStatus, ...]:
        """The statuses that this actor may set now, in the order of the standard's list."""
        return tuple(each for each in STATUSES if self.allows(before, each, actor))

    def needs(self, status: str) -> frozenset[str]:
        """What must be given with this status: ``reason``, ``output`` or nothing."""
        return self.required.get(status, frozenset())

    def normal(self, status: TaskStatus) -> TaskStatus:
        """A peer's status in the words of this dialect."""
        return self.accept.get(status, status)


@cache
def lifecycle(name: str = "sdohcc") -> Lifecycle:
    """The table of a dialect.

    Raises:
        LifecycleError: there is no such table, or it contradicts itself.
    """
    file = resources.files("adapter.referral") / "lifecycles" / f"{name}.toml"
    if not file.is_file():
        raise LifecycleError(f"there is no lifecycle {name!r}; known: {', '.join(lifecycles())}")
    table = tomllib.loads(file.read_text("utf-8"))
    moves: dict[tuple[str, str], frozenset[Actor]] = {}
    for number, row in enumerate(table["move"], 1):
        pair = (row["from"], row["to"])
        _check_row(name, number, pair, row["actors"], moves)
        moves[pair] = frozenset(row["actors"])
    built = Lifecycle(
        name=table["name"],
        title=table["title"],
        initial=frozenset(table["initial"]),
        terminal=frozenset(table["terminal"]),
        not_used=frozenset(table["not_used"]),
        required={status: frozenset(what) for status, what in table["required"].items()},
        accept=table["accept"],
        moves=moves,
    )
    _check_terminal(built)
    return built


def lifecycles() -> tuple[str, ...]:
    """The names of all shipped tables."""
    folder = resources.files("adapter.referral") / "lifecycles"
    return tuple(sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".toml")))


def _check_row(
    name: str,
    number: int,
    pair: tuple[str, str],
    actors: list[str],
    seen: Mapping[tuple[str, str], frozenset[Actor]],
) -> None:
    where = f"{name}.toml, move {number}"
    unknown = [each for each in pair if each not in STATUSES]
    if unknown:
        raise LifecycleError(f"{where}: {unknown[0]!r} is no FHIR task-status")
    if pair[0] == pair[1]:
        raise LifecycleError(f"{where}: the same status again is no move")
    if pair in seen:
        raise LifecycleError(f"{where}: {pair[0]} to {pair[1]} stands twice")
    if not actors or any(each not in ACTORS for each in actors):
        raise LifecycleError(f"{where}: actors are some of {', '.join(ACTORS)}")


def _check_terminal(table: Lifecycle) -> None:
    for before, after in table.moves:
        if before in table.terminal and after != "entered-in-error":
            raise LifecycleError(f"{table.name}.toml: {before} is terminal, but moves to {after}")
        if after in table.not_used:
            raise LifecycleError(f"{table.name}.toml: {after} is not used, but is moved to")
