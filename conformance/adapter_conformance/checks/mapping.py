"""Mapping: the laws that need no example of what is right, the matrix, and the loss report."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Any

from adapter.exchange.packs import formats_of
from adapter.mapping.explain import trace
from adapter.mapping.run import Map
from adapter.plugin import DataError
from adapter.plugin.formats import Format, Settings
from adapter.referral.document import from_document
from adapter.referral.lifecycle import ACTORS, STATUSES, lifecycle
from adapter.referral.model import Fulfilment, Outcome, Reason, Referral, ReferralEvent
from adapter.referral.room import Case, Move, move
from adapter_conformance.requirement import Failed, NotSupported, check
from adapter_conformance.stage import declared, planted_event, written
from adapter_conformance.subject import Subject

SETTINGS = Settings(site="kit", timezone="UTC")


@check("mapping.packs-sound")
async def packs_sound(subject: Subject) -> None:
    """The checks of `adapter mappings check`, on its own packs."""
    if subject.pack_faults:
        raise Failed("; ".join(subject.pack_faults[:3]))


@check("mapping.kinds-mapped")
async def kinds_mapped(subject: Subject) -> None:
    """Each event that it sends is written."""
    declared(subject, "delivers")
    if subject.kind.capabilities.outbound_format is None:
        raise NotSupported("it sends no mapped messages, notices alone")
    for event in subject.kind.capabilities.outbound_kinds:
        try:
            written(subject, event)
        except DataError as error:
            raise Failed(f"the event {event} cannot be written: {error.message}") from None


def _samples(subject: Subject) -> list[tuple[str, Any, Map, Format]]:
    """Each sample as a tree, with the map that reads it."""
    formats = formats_of(subject.plugins)
    names = [each.name for each in subject.plugin.formats]
    wanted = subject.kind.capabilities.outbound_format
    name = wanted if wanted in formats else next(iter(names), None)
    if name is None or not subject.profile.samples:
        raise NotSupported("it brings no messages that a table would read")
    found = []
    for sample in subject.profile.samples:
        try:
            tree = formats[name].parse(sample.raw)
            table = subject.packs.pick(name, tree, dialect=subject.dialect)
            found.append((sample.name, tree, table, formats[name]))
        except DataError as error:
            raise Failed(f"{sample.name}: {error.message}") from None
    return found


@check("mapping.there-and-back")
async def there_and_back(subject: Subject) -> None:
    """read(write(read(x))) is read(x)."""
    for name, tree, table, form in _samples(subject):
        first = table.to_right(tree, SETTINGS).document
        kind = form.kind(tree)
        written = form.dump(table.to_left(first, SETTINGS, kind=kind).tree)
        again = table.to_right(form.parse(written), SETTINGS).document
        if _told(again) != _told(first):
            differing = [key for key in first if first[key] != again.get(key)]
            raise Failed(f"{name} reads otherwise after it was written: {', '.join(differing)}")


def _told(document: dict[str, Any]) -> dict[str, Any]:
    """What a message says; ids of our own making are not its sender's words."""
    return {key: value for key, value in document.items() if key != "envelope"}


@check("mapping.same-twice")
async def same_twice(subject: Subject) -> None:
    """No clock and no chance."""
    for name, tree, table, form in _samples(subject):
        one = table.to_right(tree, SETTINGS).document
        two = table.to_right(form.parse(form.dump(tree)), SETTINGS).document
        if one != two:
            raise Failed(f"{name} reads differently the second time")


@check("loss.every-part")
async def every_part(subject: Subject) -> None:
    """Mapped and lost together are all."""
    for name, tree, table, _ in _samples(subject):
        traced = trace(table, tree, SETTINGS)
        told = {each.path for each in traced.carried} | {each.path for each in traced.lost}
        if traced.untraced or len(told) != traced.parts:
            raise Failed(f"of {traced.parts} parts of {name} {len(told)} are accounted for")
        silent = [each.path for each in traced.lost if not each.why]
        own = _written_here(subject, table)
        unread = [each.path for each in traced.lost if own and each.row is None]
        if silent or unread:
            raise Failed(f"{name}: no row reads {', '.join((silent + unread)[:5])}")


def _written_here(subject: Subject, table: Map) -> bool:
    """Whether the rows are the plugin's own, and not inherited from a pack of somebody else."""
    if table.pack not in {root.name for root in subject.plugin.packs}:
        return False
    as_written = subject.packs.packs[table.pack].tables.get(table.table.name)
    return as_written is None or "/" not in (as_written.extends or "")


@cache
def diagram() -> dict[tuple[str, str], frozenset[str]]:
    """The moves that the standard draws: kept here, apart from the table that the core uses."""
    file = resources.files("adapter_conformance") / "lifecycle.toml"
    rows = tomllib.loads(file.read_text("utf-8"))["move"]
    return {(row["from"], row["to"]): frozenset(row["actors"]) for row in rows}


@check("lifecycle.288-cells")
async def cells(subject: Subject) -> None:
    """Twelve statuses to twelve, by either side, each told through the plugin's own messages."""
    declared(subject, "delivers")
    capabilities = subject.kind.capabilities
    kind = capabilities.outbound_kinds.get("answer")
    if capabilities.outbound_format is None or kind is None:
        raise NotSupported("it sends no answers that state a status")
    table = lifecycle("sdohcc")
    for after in STATUSES:
        said = _through(subject, capabilities.outbound_format, kind, after)
        if table.normal(said) != table.normal(after):
            raise Failed(f"the status {after} arrives as {said or 'nothing'}")
        for before in STATUSES:
            for actor in ACTORS:
                drawn = actor in diagram().get((before, after), frozenset())
                if (before == after) or table.normal(after) != after:
                    continue
                case = Case(
                    referral=Referral(id="r"), fulfilments=(Fulfilment(id="w", status=before),)
                )
                wanted = Move(
                    fulfilment="w",
                    actor=actor,
                    to=said,
                    reason=Reason(code="other", text="planted"),
                    outcome=Outcome(summary="planted"),
                    lenient=True,
                )
                decided = move(case, wanted, table, "2026-01-15T10:00:00Z")
                if (decided.refused is None) != drawn:
                    raise Failed(f"{before} to {after} by the {actor} is judged wrongly")


def _through(subject: Subject, form: str, kind: str, status: str) -> Any:
    """The status of an answer that was written and read by the plugin's own tables."""
    document = planted_event("answer")
    document["fulfilments"][0]["status"] = status
    event = from_document(ReferralEvent, document)
    try:
        raw = subject.mapper.write(
            event, format=form, kind=kind, dialect=subject.dialect, site="kit", timezone="UTC"
        )
        read = subject.mapper.read(
            raw, format=form, dialect=subject.dialect, site="kit", timezone="UTC"
        )
    except DataError as error:
        raise Failed(f"an answer of the status {status} does not travel: {error.message}") from None
    found = read.event.fulfilments
    return found[0].status if found else None
