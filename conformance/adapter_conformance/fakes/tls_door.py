"""A peer that speaks TLS on a real socket, and may want a client certificate (mutual TLS).

It answers every request alike, and remembers who came: a web server would not tell which
certificate was shown.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from adapter_conformance.fakes.certificates import Pair

_SECONDS = 2.0
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
    b"Connection: close\r\n\r\n{}"
)


@dataclass(slots=True)
class Door:
    """The peer.

    Attributes:
        address: where it is, for example ``https://localhost:40123``.
        visitors: the common name of each client certificate, in order; empty text for a client
            that showed none, or was turned away.
    """

    address: str
    visitors: list[str] = field(default_factory=list)


@contextmanager
def tls_door(server: Pair, client_authority: Path | None = None) -> Iterator[Door]:
    """Open the door.

    Args:
        server: its own certificate, for ``localhost``.
        client_authority: PEM of the authority whose certificates it asks for; None if it asks for
            none.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    if client_authority is not None:
        context.load_verify_locations(client_authority)
        context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(server.certificate, server.key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        door = Door(f"https://localhost:{listener.getsockname()[1]}")
        closing = threading.Event()
        thread = threading.Thread(
            target=_attend, args=(listener, context, door, closing), name="door", daemon=True
        )
        thread.start()
        try:
            yield door
        finally:
            closing.set()
            thread.join(2 * _SECONDS)


def _attend(
    listener: socket.socket, context: ssl.SSLContext, door: Door, closing: threading.Event
) -> None:
    while not closing.is_set():
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        except OSError:
            return
        with connection:
            connection.settimeout(_SECONDS)
            door.visitors.append(_let_in(connection, context))


def _let_in(connection: socket.socket, context: ssl.SSLContext) -> str:
    try:
        with context.wrap_socket(connection, server_side=True) as secure:
            shown = secure.getpeercert() or {}
            if secure.recv(65536):
                secure.sendall(_ANSWER)
            return _common_name(shown)
    except OSError:  # a handshake that fails is the point of this door
        return ""


def _common_name(certificate: object) -> str:
    subject = certificate.get("subject", ()) if isinstance(certificate, dict) else ()
    names = dict(pair for part in subject for pair in part)
    return str(names.get("commonName", ""))
