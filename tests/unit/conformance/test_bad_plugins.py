"""Plugins that misbehave while a service runs: named, contained, explained; the others go on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Any

import pytest

from adapter.exchange import watch
from adapter.exchange.system_class import system_class
from adapter.exchange.watch import interrupting, watched
from adapter.plugin import FULL, Capabilities, PluginError, System, SystemSpec, TransientError


class Quiet(System):
    async def check(self) -> list[Any]:
        return []


def run(work: Awaitable[Any], **limits: float) -> Any:
    async def outer() -> Any:
        return await watched(work, **{"seconds": 0.5, "stretch": 0.2, **limits})

    return asyncio.run(outer())


async def waits_for_ever() -> None:
    await asyncio.Event().wait()


async def sleeps_without_awaiting() -> None:
    time.sleep(30)  # noqa: ASYNC251 - that is what it does wrong


async def computes_for_ever() -> None:
    while True:
        try:
            while True:
                pass
        except Exception:  # noqa: BLE001 - that is what it does wrong
            continue


async def ends_the_process() -> None:
    raise SystemExit(3)


async def cancels_itself() -> None:
    raise asyncio.CancelledError


async def answers() -> str:
    await asyncio.sleep(0)
    return "well"


def test_a_good_one_is_not_hindered() -> None:
    assert run(answers()) == "well"


def test_one_that_waits_for_ever_is_let_go_and_tried_again() -> None:
    with pytest.raises(TransientError) as raised:
        run(waits_for_ever(), seconds=0.05)
    assert raised.value.code == "plugin.too-slow"


@pytest.mark.parametrize("bad", [sleeps_without_awaiting, computes_for_ever])
def test_one_that_blocks_the_event_loop_is_ended(bad: Any) -> None:
    started = time.monotonic()
    with pytest.raises(PluginError) as raised:
        run(bad())
    assert raised.value.code == "plugin.blocks"
    assert raised.value.fix
    assert time.monotonic() - started < 5


def test_one_that_ends_the_process_does_not() -> None:
    with pytest.raises(PluginError) as raised:
        run(ends_the_process())
    assert raised.value.code == "plugin.exits"


def test_one_that_cancels_its_own_task_costs_its_own_call_only() -> None:
    with pytest.raises(PluginError) as raised:
        run(cancels_itself())
    assert raised.value.code == "plugin.cancels"


def test_a_real_cancellation_is_still_one() -> None:
    async def outer() -> None:
        task = asyncio.ensure_future(watched(waits_for_ever(), seconds=5))
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(outer())


def test_the_others_run_while_one_blocks() -> None:
    async def outer() -> list[Any]:
        bad = watched(sleeps_without_awaiting(), seconds=2, stretch=0.1)
        return await asyncio.gather(bad, answers(), return_exceptions=True)

    bad, good = asyncio.run(outer())
    assert isinstance(bad, PluginError)
    assert good == "well"


def test_one_that_blocks_while_it_is_imported_is_ended() -> None:
    with pytest.raises(PluginError, match="held up"), interrupting(0.1):
        time.sleep(30)


def test_the_timer_is_put_back() -> None:
    with interrupting(5):
        pass
    assert watch.signal.getitimer(watch.signal.ITIMER_REAL)[0] == 0


class Boastful(Quiet):
    name = "boastful"
    capabilities = Capabilities(delivers=FULL)


def test_one_that_declares_what_it_lacks_is_named_with_the_ability() -> None:
    with pytest.raises(PluginError, match="delivers") as raised:
        system_class(SystemSpec(name="boastful", system=Boastful, summary=""))
    assert raised.value.code == "plugin.declares-what-it-lacks"


def test_one_that_is_no_system_is_named() -> None:
    with pytest.raises(PluginError, match="no subclass"):
        system_class(SystemSpec(name="odd", system="json:loads", summary=""))


def test_one_whose_class_cannot_be_imported_is_named_and_says_what_python_said() -> None:
    with pytest.raises(PluginError, match="No module named"):
        system_class(SystemSpec(name="odd", system="no_such_module:X", summary=""))
