"""A system: one kind of peer. One class, many sites.

Hooks register, classes work: `register_systems` hands over a `SystemSpec` once; everything that
happens per message is an async method of the class that it names.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from adapter.plugin.capabilities import Capabilities
from adapter.plugin.context import Context
from adapter.plugin.directory import Capacity, ListedProgram
from adapter.plugin.messages import Check, Delivered, Inbound, Outbound

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]


class SystemConfig(BaseModel):
    """The settings of one site: frozen, no unknown keys, values never shown in errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class System(ABC):
    """The base of every system. Subclass it, set the class attributes, add abilities.

    `quirks` is what is different at the peers of one maker, in a type of the system's own; None
    where nothing is. A system that reads its differences from there can be stood on with a file
    alone (see `Adapts`).

    Example::

        class Acme(System):
            name = "acme"
            Config = AcmeConfig
            capabilities = Capabilities(delivers=FULL, outbound_format="fhir")
    """

    name: ClassVar[str]
    Config: ClassVar[type[SystemConfig]] = SystemConfig
    capabilities: ClassVar[Capabilities] = Capabilities()
    quirks: ClassVar[Any] = None

    def __init__(self, config: SystemConfig, context: Context) -> None:
        self.config = config
        self.context = context

    @abstractmethod
    async def check(self) -> list[Check]:
        """Look whether the peer can be reached and lets us in. Changes nothing."""

    async def open(self) -> None:  # noqa: B027 - an optional step, not a forgotten one
        """Get ready. Called once before anything else; raises an AdapterError if it cannot."""

    async def close(self) -> None:  # noqa: B027
        """Let go of everything. Called once, also after a failed open."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket: `start` gives ``host:port``, `stop` finishes what is in flight."""

    start: Callable[[], Awaitable[str]]
    stop: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class HttpEndpoint:
    """An ASGI application that the core mounts at ``/sites/<site>/``."""

    app: ASGIApp


@runtime_checkable
class Receives(Protocol):
    """Takes messages or visits from a peer."""

    def endpoints(self) -> Sequence[Listener | HttpEndpoint]:
        """Where the peer comes in. Called once, after `open`."""
        ...


@runtime_checkable
class Delivers(Protocol):
    """Brings messages to a peer."""

    async def deliver(self, message: Outbound) -> Delivered:
        """Bring one message; return only when the peer has it.

        Raises:
            TransientError: try again later. AuthError, GoneError, DataError, ConfigError: as their
                names say. Anything else is treated as a fault of this plugin, and tried again.
        """
        ...


@runtime_checkable
class Polls(Protocol):
    """Asks a peer for news. The core stores messages and cursor in one transaction.

    The core calls it every `poll_seconds` of the site, never twice at the same time, and goes
    through it to its end. What was yielded before a failure is kept.
    """

    def poll(self, cursor: str | None) -> AsyncIterator[tuple[Inbound, str]]:
        """Yield each new message with the cursor that stands after it.

        A message that cannot be read is yielded like any other, with a key of its own: the core
        sets it aside alone, and the others go on.

        Args:
            cursor: the last one that was stored, or None if nothing ever was.

        Raises:
            AuthError, ConfigError: the site waits for a person, and is asked again once an hour.
            GoneError: it is asked no more until `adapter sites resume`. Anything else: it is asked
            again after 5 s, then later and later up to an hour, from the last cursor.
        """
        ...


@runtime_checkable
class Finds(Protocol):
    """Can tell whether a delivery of unknown result arrived."""

    async def find(self, message: Outbound) -> Delivered | None:
        """The delivery if the peer has it, None if it has not."""
        ...


@runtime_checkable
class ListsPrograms(Protocol):
    """Knows what programs there are. The core asks a site whose table makes it a directory.

    It is called every `directory_seconds` of the site, never twice at the same time, and gone
    through to its end. What is listed replaces what was listed before, in one transaction: a
    program that is not in the list any more is no longer offered.
    """

    def list_programs(self) -> AsyncIterator[ListedProgram]:
        """Yield every program that the directory has now, each once.

        Raises:
            AdapterError: as `Polls.poll`. The whole list of the last time stands until it can be
            read to its end again: a part of a list is never taken for the list.
        """
        ...


@runtime_checkable
class ReportsCapacity(Protocol):
    """Knows how much room programs have: those that it lists, or those of the core's own file.

    It is asked after `ListsPrograms`, in the same round.
    """

    def report_capacity(self) -> AsyncIterator[Capacity]:
        """Yield what is known of each program's room; of one that is left out nothing is known.

        Raises:
            AdapterError: as `Polls.poll`. What was known before stands, with its age.
        """
        ...


@runtime_checkable
class Adapts(Protocol):
    """A system that others stand on with nothing but a table of what is different there."""

    @classmethod
    def adapted(cls, name: str, quirks: Mapping[str, Any]) -> type[System]:
        """The class of a system of this name that differs by these quirks.

        Raises:
            ConfigError: the table says what this system does not know.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemSpec:
    """What `register_systems` returns for each system: a class, or a base and its quirks.

    Attributes:
        system: the class, or ``"package.module:Class"`` to import it when first used; empty for a
            system without code of its own (level 0).
        name: the word for `system = "…"` in adapter.toml.
        summary: one line for `adapter plugins list`.
        api_version: the plugin API that it was written for.
        base: level 0: the system of another plugin that this one stands on, for example ``fhir``.
        quirks: level 0: the TOML file that says what is different here.
    """

    name: str
    system: type[System] | str = ""
    summary: str
    api_version: int = 1
    base: str = ""
    quirks: Traversable | None = None
