"""`adapter demo`: the whole loop on this machine, in test mode, with every step shown."""

from __future__ import annotations

import asyncio
import signal
from typing import Annotated

import typer

from adapter.cli.printing import JsonOption


def demo(
    serve: Annotated[
        bool, typer.Option("--serve", help="Keep it running afterwards, to look around.")
    ] = False,
    db: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where to keep the store: sqlite:///FILE or postgresql://… Default: a new folder.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run the whole loop on this machine: three referrals, from an EMR to an agency and back.

    A small EMR (a process of its own) sends HL7 v2 over MLLP to the real service; an agency gets
    e-mail over real SMTP and answers through the link in it; the answers come back to the EMR.
    Everything stays on this machine, is invented, and is flagged test.

    Examples:

      adapter demo

      adapter demo --serve
    """
    try:
        asyncio.run(_until_terminated(serve=serve, db=db, as_json=as_json))
    except asyncio.CancelledError:
        raise typer.Exit(130) from None


async def _until_terminated(*, serve: bool, db: str | None, as_json: bool) -> None:
    from adapter.cli.demonstration.show import Show

    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await Show(as_json=as_json, db=db).run(serve=serve)
