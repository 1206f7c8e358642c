"""A process that has everything imported and forks a service at each request.

A kill costs a start, and a start of the interpreter costs seconds. So the programs and the mapping
tables are loaded once, and each service under test is a fork of that: the same code with a store of
its own, in a process of its own, which can be killed. What a service makes at its first use (plans
of statements, compiled pages) is made once as well: with ``warm`` a service runs in this process
until SIGTERM, for a journey that counts for nothing. Cold starts are measured apart.

Requests are lines of JSON on stdin (``config``, ``socket``, ``log``, ``arm``); the answer is the
pid. To ``{"config": …, "warm": true}`` it is the service's ready line, and another when the service
has ended. No thread runs here at a fork, so that it is whole.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults.service_child import Child, serve

PLUGINS = ("hl7v2", "link", "reference")


def _load() -> None:
    """Import what a service needs, and let every service of this process share the tables."""
    import uvicorn.lifespan.off
    import uvicorn.loops.auto
    import uvicorn.protocols.http.auto
    import uvicorn.protocols.websockets.auto  # noqa: F401

    import adapter.api.app
    import adapter.cli.logs
    import adapter.cli.serve
    import adapter.exchange.http.factory
    import adapter.portal.pages  # noqa: F401
    from adapter.exchange import service, tables
    from adapter.exchange.packs import packs_of

    plugins = service.load_plugins(PLUGINS)
    formats = service.formats_of(plugins)
    packs = packs_of(None, plugins, formats)
    for room, name, loaded in (
        (service, "load_plugins", plugins),
        (service, "formats_of", formats),
        (tables, "sound_packs", packs),
    ):
        setattr(room, name, _always(loaded))


def _always(value: Any) -> Callable[..., Any]:
    return lambda *_, **__: value


def _warm(config: Path) -> None:
    """Run a service here until it is told to stop."""
    from adapter.cli.logs import configure
    from adapter.cli.serve import run
    from adapter.exchange.config import load_config

    configure(json=True, level="CRITICAL")
    asyncio.run(run(load_config(config), as_json=True))
    gc.collect()
    gc.freeze()
    assert threading.active_count() == 1, threading.enumerate()


def _fork(request: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        line.connect(request["socket"])
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (line.fileno(), 1), (log, 2)):
            os.dup2(source, target)
        serve(Child(line), Path(request["config"]), request.get("arm"))
    except BaseException as error:  # noqa: BLE001 - a fork must not return into the zygote
        sys.stderr.write(f"service under test: {type(error).__name__}: {error}\n")
        sys.stderr.flush()
        os._exit(70)
    os._exit(0)


def main() -> None:
    """Load, say so, and fork at each request."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    _load()
    gc.collect()
    gc.freeze()  # what is loaded is not copied by a collection in a fork
    print(json.dumps({"event": "loaded"}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if request.get("warm"):
            _warm(Path(request["config"]))
            print(json.dumps({"event": "warm"}), flush=True)
        else:
            print(json.dumps({"pid": _fork(request)}), flush=True)


if __name__ == "__main__":
    main()
