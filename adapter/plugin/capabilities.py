"""What a system says that it can do, and how well."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Level = Literal["full", "partial", "not-implemented", "impossible", "versioned"]


@dataclass(frozen=True, slots=True)
class Support:
    """How far an ability goes: partial and impossible say their `reason`, versioned its `since`."""

    level: Level
    reason: str = ""
    since: str = ""

    def __post_init__(self) -> None:
        """Refuse a level that owes an explanation and gives none."""
        if self.level in ("partial", "impossible") and not self.reason:
            raise ValueError(f"support level {self.level!r} needs a reason")
        if self.level == "versioned" and not self.since:
            raise ValueError("support level 'versioned' needs since=")

    @property
    def declared(self) -> bool:
        """True if the ability is there, however far it goes."""
        return self.level not in ("not-implemented", "impossible")


FULL = Support("full")
NOT_IMPLEMENTED = Support("not-implemented")


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """The abilities of a system; each agrees with a Protocol of `adapter.plugin.system`.

    Attributes:
        receives, polls, delivers, finds, lists_programs, reports_capacity: one ability each.
        acts: what it receives may be moves whose result the peer must know at once: see
            `Context.act`. It needs `receives`, and no Protocol of its own.
        outbound_format: the name of the format that deliveries are mapped to, or None if the
            system takes a `Notice` alone.
        outbound_kinds: the message kind for each event, for example ``{"answer": "RRI^I12"}``. An
            event that is not listed is not delivered to this system.
        poll_seconds: how often such a peer is asked for news, if its site does not say.
        directory_seconds: how often it is asked for its programs and their room, likewise.
    """

    receives: Support = NOT_IMPLEMENTED
    polls: Support = NOT_IMPLEMENTED
    delivers: Support = NOT_IMPLEMENTED
    finds: Support = NOT_IMPLEMENTED
    lists_programs: Support = NOT_IMPLEMENTED
    reports_capacity: Support = NOT_IMPLEMENTED
    acts: Support = NOT_IMPLEMENTED
    outbound_format: str | None = None
    outbound_kinds: dict[str, str] = field(default_factory=dict)
    poll_seconds: int = 60
    directory_seconds: int = 3_600
