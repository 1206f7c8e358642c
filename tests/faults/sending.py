"""Every send of the service is a place to die at: before, in the middle of the bytes, and after.

The places are found where all bytes leave, in the event loop's transports, so that a new plugin or
protocol has its places without a line here. A place is called after the code of ours that sends,
and the number of the write on its connection: ``adapter_link.smtp.send:write-4:middle``. In the
middle means that the first half of the bytes is with the kernel, and so with the peer.
"""

from __future__ import annotations

import sys
from asyncio import selector_events, sslproto
from typing import Any

from adapter.store import failpoints

_MOST = 12
_OURS = ("adapter.", "adapter_")
_NOT = ("adapter.cli.", "adapter.exchange.watch")


def watch() -> None:
    """Let every write of this process pass its places."""
    _watch(selector_events._SelectorSocketTransport)
    _watch(sslproto._SSLProtocolTransport)


def _watch(transport: Any) -> None:
    write = transport.write

    def passing(self: Any, data: Any) -> None:
        if failpoints.armed is None:
            write(self, data)
            return
        place = f"{_sender()}:write-{_number(self)}"
        failpoints.armed(f"{place}:before")
        if len(data) > 1 and failpoints.armed is not None:
            half = len(data) // 2
            write(self, bytes(data[:half]))
            failpoints.armed(f"{place}:middle")
            write(self, bytes(data[half:]))
        else:
            write(self, data)
        if failpoints.armed is not None:
            failpoints.armed(f"{place}:after")

    transport.write = passing


_numbers: dict[int, int] = {}


def _number(transport: Any) -> int:
    protocol = transport.get_protocol()
    number = getattr(protocol, "_write_number", 0) + 1
    try:
        protocol._write_number = number
    except AttributeError:
        number = _numbers[id(protocol)] = _numbers.get(id(protocol), 0) + 1
    return min(number, _MOST)


def _sender() -> str:
    """The innermost function of ours that is on the way to this write, or the library's class."""
    frame = sys._getframe(2)
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith(_OURS) and not module.startswith(_NOT):
            return f"{module}.{frame.f_code.co_name}"
        frame = frame.f_back
    return "event-loop"
