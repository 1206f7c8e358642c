"""One minimal wrong plugin for each requirement: the example plugin with one thing broken."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import orjson
from pydantic import ConfigDict, Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapter.exchange import plugins as loader
from adapter.plugin import (
    AdapterError,
    AuthError,
    Capabilities,
    Capacity,
    Check,
    DataError,
    Delivered,
    GoneError,
    HttpEndpoint,
    Inbound,
    ListedProgram,
    Outbound,
    Receipt,
    Refusal,
    SystemFault,
    SystemSpec,
    TransientError,
    hookimpl,
)
from adapter_conformance.subject import Subject, installed
from adapter_reference.config import ReferenceConfig
from adapter_reference.door import move_of
from adapter_reference.format import ReferenceFormat
from adapter_reference.system import Reference

Make = Callable[[Path], Subject]
MUTANTS: dict[str, Make] = {}
_BASE: list[Subject] = []


def base() -> Subject:
    """The example plugin, found once."""
    if not _BASE:
        _BASE.append(installed("reference"))
        assert _BASE[0].packs
    return _BASE[0]


def mutant(requirement: str) -> Callable[[Any], Any]:
    """A class is a system in place of the right one; a function makes a whole subject."""

    def mark(made: Any) -> Any:
        assert requirement not in MUTANTS
        MUTANTS[requirement] = (
            (lambda folder: with_system(made)) if isinstance(made, type) else made
        )
        return made

    return mark


def with_system(system: type[Reference], **more: Any) -> Subject:
    """The example plugin with another class."""
    right = base()
    found = replace(right, system=system, _kept={}, **more)
    found.__dict__["packs"] = right.packs
    found.__dict__["pack_faults"] = right.pack_faults
    return found


class _Point:
    """An entry point whose module is made here."""

    dist = None
    name = "wrong"

    def __init__(self, load: Callable[[], Any]) -> None:
        self.load = load


def with_module(load: Callable[[], Any], taken: loader.Taken | None = None) -> Subject:
    """A subject that went through the loader."""
    right = base()
    plugin = loader._load(_Point(load), taken or loader.Taken())  # type: ignore[arg-type]
    assert plugin.state == "failed", "this mutant is to be refused by the loader"
    return replace(right, plugin=plugin, system=None, _kept={})


def _module(**hooks: Any) -> ModuleType:
    module = ModuleType("wrong")
    for name, result in hooks.items():
        setattr(module, name, hookimpl(_giving(result)))
    return module


def _giving(result: Any) -> Any:
    def call() -> Any:
        return result

    return call


def _spec(**changes: Any) -> SystemSpec:
    return SystemSpec(**{"name": "wrong", "system": Reference, "summary": "", **changes})


@mutant("loads.imports")
def raises_at_import(folder: Path) -> Subject:
    def load() -> Any:
        raise RuntimeError("boom")

    return with_module(load)


@mutant("loads.hooks-known")
def misspells_a_hook(folder: Path) -> Subject:
    return with_module(lambda: _module(register_system=[]))


@mutant("loads.results-typed")
def returns_text(folder: Path) -> Subject:
    return with_module(lambda: _module(register_systems=["wrong"]))


@mutant("loads.api-version")
def wants_a_newer_api(folder: Path) -> Subject:
    return with_module(lambda: _module(register_systems=[_spec(api_version=99)]))


@mutant("loads.names-unique")
def takes_a_name(folder: Path) -> Subject:
    taken = loader.Taken(systems={"wrong": _spec()})
    return with_module(lambda: _module(register_systems=[_spec()]), taken)


@mutant("loads.abilities-agree")
class Silent(Reference):
    """Implements finding and does not say so: the kit must ask for it."""

    capabilities = replace(Reference.capabilities, finds=Capabilities().finds)


@mutant("loads.public-api-only")
def imports_the_core(folder: Path) -> Subject:
    (folder / "module.py").write_text("from adapter.store.store import Store\n")
    return with_system(Reference, package=folder)


class _Loose(ReferenceConfig):
    model_config = ConfigDict(extra="ignore")


@mutant("config.unknown-keys-refused")
class TakesAnyKey(Reference):
    Config = _Loose


class _Soft(ReferenceConfig):
    model_config = ConfigDict(frozen=False)


@mutant("config.frozen")
class Changeable(Reference):
    Config = _Soft


class _Talkative(ReferenceConfig):
    model_config = ConfigDict(hide_input_in_errors=False)


@mutant("config.values-hidden")
class ShowsValues(Reference):
    Config = _Talkative


class _Open(ReferenceConfig):
    api_password: str | None = Field(default=None, description="a password as plain text")


@mutant("config.secrets-typed")
def plain_password(folder: Path) -> Subject:
    class Plain(Reference):
        Config = _Open

    return with_system(Plain, readme=base().readme + "\n`api_password`\n")


class _Undescribed(ReferenceConfig):
    extra: int = 1


@mutant("config.described")
def says_nothing(folder: Path) -> Subject:
    class Mute(Reference):
        Config = _Undescribed

    return with_system(Mute, readme=base().readme + "\n`extra`\n")


@mutant("lifecycle.opens")
class NeverOpens(Reference):
    async def open(self) -> None:
        raise RuntimeError("no")


@mutant("lifecycle.check-passes")
class CriesWolf(Reference):
    async def check(self) -> list[Check]:
        return [Check(name="peer", state="fail", detail="always", fix="nothing helps")]


@mutant("lifecycle.check-tells")
class AlwaysWell(Reference):
    async def check(self) -> list[Check]:
        return [Check(name="peer", state="ok")]


@mutant("lifecycle.check-changes-nothing")
class ChecksByWriting(Reference):
    async def check(self) -> list[Check]:
        try:
            await self.context.http.post("messages", content=b"{}", idempotent=True)
        except AdapterError:
            return await super().check()
        return await super().check()


@mutant("lifecycle.sites-apart")
class OneForAll(Reference):
    shared: ClassVar[Any] = None

    async def open(self) -> None:
        if type(self).shared is None:
            type(self).shared = self.context
        if self.context.site.name == "second":
            self.context = type(self).shared

    async def close(self) -> None:
        type(self).shared = None


@mutant("lifecycle.288-cells")
def pauses_as_under_way(folder: Path) -> Subject:
    return with_pack(folder, "codes/status.csv", _paused_is_under_way)


def _paused_is_under_way(text: str) -> str:
    """What is on hold is told as being under way."""
    lines = text.splitlines()
    number = next(number for number, each in enumerate(lines) if ",paused," in each)
    lines[number] = lines[number].replace(",paused,", ",under-way,").replace("equivalent", "wider")
    return "\n".join(lines) + "\n"


def with_pack(folder: Path, file: str, change: Callable[[str], str]) -> Subject:
    """The example plugin with one file of its pack changed."""
    right = base()
    source = Path(str(right.plugin.packs[0]))
    target = folder / "reference"
    for each in source.rglob("*"):
        if each.is_file():
            copy = target / each.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            text = each.read_text("utf-8")
            copy.write_text(
                change(text) if str(each.relative_to(source)) == file else text, "utf-8"
            )
    return replace(right, plugin=replace(right.plugin, packs=(target,)), _kept={})


class _Failing(Reference):
    """Takes the errors of a class for something else."""

    wrong: ClassVar[type[AdapterError]]

    def instead(self, error: AdapterError) -> Exception | None:
        raise NotImplementedError

    async def deliver(self, message: Outbound) -> Delivered:
        try:
            return await super().deliver(message)
        except self.wrong as error:
            other = self.instead(error)
            if other is None:
                return Delivered()
            raise other from None


@mutant("auth.refusal-is-auth-error")
class KnocksForEver(_Failing):
    wrong = AuthError

    def instead(self, error: AdapterError) -> Exception:
        return TransientError("wrong.later", "later", fix="wait")


@mutant("auth.secret-not-in-address")
class SecretInAddress(Reference):
    async def check(self) -> list[Check]:
        key = self.config.auth.key.get_secret_value()  # type: ignore[union-attr]
        try:
            await self.context.http.get("status", params={"api_key": key})
        except AdapterError:
            return await super().check()
        return await super().check()


class _Context:
    """The context, with something between it and the plugin."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class _Between(Reference):
    """A system whose door sees another context."""

    context_class: ClassVar[type[_Context]]

    def __init__(self, config: Any, context: Any) -> None:
        super().__init__(config, self.context_class(context))


@mutant("receive.accepts")
class Refuses(Reference):
    def endpoints(self) -> Any:
        async def no(request: Request) -> Response:
            return Response(status_code=503)

        return [HttpEndpoint(Starlette(routes=[Route("/messages", no, methods=["POST"])]))]


class _Tidy(_Context):
    async def receive(self, message: Inbound) -> Receipt:
        raw = orjson.dumps(orjson.loads(message.raw), option=orjson.OPT_SORT_KEYS)
        return await self.inner.receive(replace(message, raw=raw))


@mutant("receive.raw-bytes")
class Tidies(_Between):
    context_class = _Tidy


class _Eager(_Context):
    """Says what will be said before it is true, unless the store has something against it."""

    async def receive(self, message: Inbound) -> Receipt:
        task = asyncio.ensure_future(self.inner.receive(message))
        done, _ = await asyncio.wait([task], timeout=0.02)
        if done:
            return await task
        return Receipt(id="0", state="accepted", answer=message.answer)


@mutant("receive.acknowledges-after-durable")
class AcknowledgesEarly(_Between):
    context_class = _Eager


class _Hopeful(_Context):
    async def receive(self, message: Inbound) -> Receipt:
        try:
            return await self.inner.receive(message)
        except TransientError:
            return Receipt(id="0", state="accepted", answer=message.answer)


@mutant("receive.store-down-told")
class HopesForTheBest(_Between):
    context_class = _Hopeful


class _Forgetful(_Context):
    async def refuse(self, refusal: Refusal) -> None:
        return


@mutant("receive.refusal-journaled")
class ForgetsRefusals(_Between):
    context_class = _Forgetful


class _OneAtATime(_Context):
    """Drops what comes while another is being taken."""

    busy = False

    async def receive(self, message: Inbound) -> Receipt:
        if self.busy:
            raise TransientError("wrong.busy", "busy")
        self.busy = True
        try:
            await asyncio.sleep(0.001)
            return await self.inner.receive(message)
        finally:
            self.busy = False


@mutant("receive.many-at-once")
class OneAtATime(_Between):
    context_class = _OneAtATime


class _Renewing(_Context):
    """Answers a repetition with something of its own."""

    async def receive(self, message: Inbound) -> Receipt:
        found = await self.inner.receive(message)
        if found.state == "duplicate":
            return replace(found, answer=b'{"state":"known"}')
        return found


@mutant("idempotency.same-answer")
class AnswersAnew(_Between):
    context_class = _Renewing


class _Easy(_Context):
    async def receive(self, message: Inbound) -> Receipt:
        found = await self.inner.receive(message)
        if found.state == "conflict":
            return Receipt(id="0", state="duplicate", answer=message.answer)
        return found


@mutant("idempotency.conflict-told")
class OverlooksConflicts(_Between):
    context_class = _Easy


@mutant("shutdown.finishes-in-flight")
def cuts_off(folder: Path) -> Subject:
    from wrong_listener import CutsOff

    return with_system(CutsOff)


class _Polling(Reference):
    async def _all(self, cursor: str | None) -> list[tuple[Inbound, str]]:
        return [each async for each in Reference.poll(self, cursor)]


@mutant("poll.yields-all")
class FirstPage(_Polling):
    async def poll(self, cursor: str | None) -> AsyncIterator[tuple[Inbound, str]]:
        for each in (await self._all(cursor))[:2]:
            yield each


@mutant("poll.cursor-resumes")
class CursorOfThePage(_Polling):
    """Gives every message the cursor of the last one."""

    async def poll(self, cursor: str | None) -> AsyncIterator[tuple[Inbound, str]]:
        found = await self._all(cursor)
        for message, _ in found:
            yield message, found[-1][1]


@mutant("poll.fault-is-raised")
class EmptyInsteadOfBroken(_Polling):
    async def poll(self, cursor: str | None) -> AsyncIterator[tuple[Inbound, str]]:
        try:
            found = await self._all(cursor)
        except AdapterError:
            return
        for each in found:
            yield each


@mutant("poll.stable-keys")
class KeysByTheClock(_Polling):
    polls = 0

    async def poll(self, cursor: str | None) -> AsyncIterator[tuple[Inbound, str]]:
        if cursor is None:
            self.polls += 1
        for message, after in await self._all(cursor):
            yield replace(message, key=f"{message.key}-{self.polls}"), after


@mutant("deliver.arrives")
class Pretends(Reference):
    async def deliver(self, message: Outbound) -> Delivered:
        return Delivered()


@mutant("deliver.waits-for-the-peer")
class NeverMinds(_Failing):
    """Takes a peer that is not there for one that is."""

    wrong = TransientError

    def instead(self, error: AdapterError) -> Exception | None:
        return None if error.code == "http.unreachable" else error


@mutant("deliver.survives-a-fault")
class Sulks(Reference):
    broken = False

    async def deliver(self, message: Outbound) -> Delivered:
        if self.broken:
            raise TransientError("wrong.broken", "broken for good")
        try:
            return await super().deliver(message)
        except TransientError:
            self.broken = True
            raise


@mutant("idempotency.one-effect")
class ForgetsTheKey(Reference):
    """Gives each attempt a key of its own."""

    async def deliver(self, message: Outbound) -> Delivered:
        first = message.attempt == 1
        return await super().deliver(message if first else replace(message, id="another"))


@mutant("idempotency.finds")
class FindsNever(Reference):
    async def find(self, message: Outbound) -> Delivered | None:
        return None


@mutant("idempotency.finds-nothing")
class FindsAnything(Reference):
    async def find(self, message: Outbound) -> Delivered | None:
        return await super().find(message) or Delivered()


@mutant("ordering.as-called")
class HoldsBack(Reference):
    """Brings a change only together with the next message, after it."""

    def __init__(self, config: Any, context: Any) -> None:
        super().__init__(config, context)
        self.held: list[Outbound] = []

    async def deliver(self, message: Outbound) -> Delivered:
        if message.event == "modify":
            self.held.append(message)
            return Delivered()
        done = await super().deliver(message)
        while self.held:
            await super().deliver(self.held.pop())
        return done


@mutant("errors.unavailable-is-transient")
class GivesUp(_Failing):
    wrong = TransientError

    def instead(self, error: AdapterError) -> Exception:
        fault = error.code == "http.busy" and getattr(error, "retry_after", None) is None
        return DataError("wrong.unavailable", "not now", fix="x") if fault else error


@mutant("errors.retry-after")
class Hammers(_Failing):
    wrong = TransientError

    def instead(self, error: AdapterError) -> Exception:
        error.retry_after = None  # type: ignore[attr-defined]
        return error


@mutant("errors.refusal-is-data-error")
class TriesForEver(_Failing):
    wrong = DataError

    def instead(self, error: AdapterError) -> Exception:
        return TransientError("wrong.later", "later", fix="wait")


@mutant("errors.gone-is-gone")
class Waits(_Failing):
    wrong = GoneError

    def instead(self, error: AdapterError) -> Exception:
        return TransientError("wrong.later", "later", fix="wait")


@mutant("errors.nonsense-is-no-success")
class BelievesAnything(_Failing):
    wrong = SystemFault

    def instead(self, error: AdapterError) -> Exception | None:
        return None


@mutant("errors.say-what-to-do")
class SaysNothing(_Failing):
    wrong = DataError

    def instead(self, error: AdapterError) -> Exception:
        error.fix = ""
        return error


@mutant("mapping.packs-sound")
def faulty_pack(folder: Path) -> Subject:
    return with_pack(
        folder,
        "messages.map.yaml",
        lambda text: text.replace("referral.reason]", "referral.raison]"),
    )


@mutant("mapping.kinds-mapped")
class SaysWhatNobodyWrites(Reference):
    capabilities = replace(
        Reference.capabilities,
        outbound_kinds={**Reference.capabilities.outbound_kinds, "note": "note"},
    )


@mutant("mapping.there-and-back")
def reads_and_does_not_write(folder: Path) -> Subject:
    return with_pack(
        folder,
        "messages.map.yaml",
        lambda text: text.replace(
            '[next_step,   <->, "fulfilments[0].outcome.next_step"]',
            '[next_step,   ->, "fulfilments[0].outcome.next_step", {loses: "x"}]',
        ).replace('{loses: "x"}]', 'loses: "that it can be written"]'),
    )


class _Counting(ReferenceFormat):
    """Gives each message that it reads a number: the same bytes are never the same tree."""

    number = 0

    def parse(self, raw: bytes) -> dict[str, Any]:
        tree = super().parse(raw)
        type(self).number += 1
        tree["sent"] = f"2026-01-01T00:00:{self.number % 60:02d}Z"
        return tree


@mutant("mapping.same-twice")
def counts(folder: Path) -> Subject:
    right = base()
    formats = {**right.plugins.formats, "reference": _Counting()}
    return replace(
        right,
        plugins=replace(right.plugins, formats=formats),
        plugin=replace(right.plugin, formats=(formats["reference"],)),
        _kept={},
    )


@mutant("loss.every-part")
def overlooks_a_part(folder: Path) -> Subject:
    return with_pack(
        folder,
        "messages.map.yaml",
        lambda text: text.replace('    - [program,   <->, "fulfilments[0].program"]\n', ""),
    )


class _Logged(_Context):
    async def receive(self, message: Inbound) -> Receipt:
        self.inner.log.info("message.received", body=message.raw.decode())
        return await self.inner.receive(message)


@mutant("privacy.logs")
class LogsBodies(_Between):
    context_class = _Logged


@mutant("privacy.errors")
class QuotesThePatient(_Failing):
    wrong = DataError

    def instead(self, error: AdapterError) -> Exception:
        from adapter_conformance.planted import FAMILY

        error.message = f"the peer refused the referral of {FAMILY}"
        return error


@mutant("privacy.reprs")
class ShowsItself(Reference):
    def __repr__(self) -> str:
        return f"<ShowsItself {self.config.auth.key.get_secret_value()}>"  # type: ignore[union-attr]


@mutant("privacy.output")
class Prints(Reference):
    async def deliver(self, message: Outbound) -> Delivered:
        sys.stdout.write(f"delivering {message.id}\n")
        return await super().deliver(message)


@mutant("privacy.addresses")
class PersonInAddress(Reference):
    async def check(self) -> list[Check]:
        from adapter_conformance.planted import NUMBER

        try:
            await self.context.http.get("status", params={"patient": NUMBER})
        except AdapterError:
            return await super().check()
        return await super().check()


@mutant("shutdown.after-a-failed-open")
class ClosesWhatItOpened(Reference):
    async def open(self) -> None:
        self.opened = True

    async def close(self) -> None:
        del self.opened


@mutant("shutdown.lets-go")
class LeavesATask(Reference):
    async def open(self) -> None:
        self.task = asyncio.ensure_future(asyncio.sleep(3600))


@mutant("shutdown.memory-bounded")
class KeepsEverything(Reference):
    def __init__(self, config: Any, context: Any) -> None:
        super().__init__(config, context)
        self.kept: list[bytes] = []

    async def deliver(self, message: Outbound) -> Delivered:
        self.kept.append(message.body + bytes(20_000))
        return await super().deliver(message)


@mutant("docs.readme")
def no_readme(folder: Path) -> Subject:
    return with_system(Reference, readme="# wrong\n")


@mutant("receive.acts-at-once")
class SaysDone(Reference):
    """Tells whoever waits that it is done, whatever the core said."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._door.app = Starlette(
            routes=[
                Route("/messages", self._door._take, methods=["POST"]),
                Route("/moves", self._done, methods=["POST"]),
            ]
        )

    async def _done(self, request: Request) -> Response:
        try:
            await self.context.act(move_of(await request.body()))
        except TransientError:
            return Response(status_code=503)
        return Response(status_code=200)


@mutant("programs.lists-all")
class FirstPrograms(Reference):
    async def list_programs(self) -> AsyncIterator[ListedProgram]:
        number = 0
        async for each in super().list_programs():
            number += 1
            if number > 2:
                return
            yield each


@mutant("programs.as-declared")
class LooseTypes(Reference):
    async def list_programs(self) -> AsyncIterator[ListedProgram]:
        async for each in super().list_programs():
            loose: Any = list(each.category)
            yield replace(each, category=loose)


@mutant("programs.stable-ids")
class FreshIds(Reference):
    counted = 0

    async def list_programs(self) -> AsyncIterator[ListedProgram]:
        async for each in super().list_programs():
            type(self).counted += 1
            yield replace(each, id=f"{each.id}-{type(self).counted}")


@mutant("programs.fault-is-raised")
class NoProgramsToday(Reference):
    async def list_programs(self) -> AsyncIterator[ListedProgram]:
        try:
            async for each in super().list_programs():
                yield each
        except TransientError:
            return


@mutant("capacity.as-stated")
class AllOpen(Reference):
    async def report_capacity(self) -> AsyncIterator[Capacity]:
        async for each in super().report_capacity():
            yield replace(each, status="open")


@mutant("capacity.unknown-stays-unknown")
class Optimist(Reference):
    async def report_capacity(self) -> AsyncIterator[Capacity]:
        said = {each.program: each async for each in super().report_capacity()}
        async for each in self.list_programs():
            yield said.get(each.id, Capacity(program=each.id, status="open"))


@mutant("capacity.fault-is-raised")
class NothingToSay(Reference):
    async def report_capacity(self) -> AsyncIterator[Capacity]:
        try:
            async for each in super().report_capacity():
                yield each
        except TransientError:
            return
