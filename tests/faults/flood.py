"""One of the processes that flood: threads that each send the same messages again and again.

Arguments: addresses (``host:port``, by commas), prefix, messages, first and last thread, threads in
all, copies. Each thread has a connection of its own and sends in windows, as a hasty peer does.
Every few seconds, and at the end, one line of JSON says how many answers were AA so far, and how
many were anything else.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections import Counter

from tests.integration.loop.harness import referral

_WINDOW = 50
_TELL_SECONDS = 10.0


def frames(prefix: str, messages: int) -> list[bytes]:
    """Each message as it goes over the wire."""
    return [b"\x0b" + referral(f"{prefix}{n}").encode() + b"\x1c\r" for n in range(messages)]


def send(address: str, some: list[bytes], found: Counter[str], lock: threading.Lock) -> None:
    """All of them over one connection."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=120) as line:
        for start in range(0, len(some), _WINDOW):
            window = some[start : start + _WINDOW]
            line.sendall(b"".join(window))
            got = b""
            while got.count(b"\x1c\r") < len(window):
                data = line.recv(1 << 16)
                if not data:
                    raise ConnectionError("the peer hung up")
                got += data
            taken = got.count(b"MSA|AA|")
            with lock:
                found["AA"] += taken
                found["other"] += len(window) - taken


def main() -> None:
    """Flood, and say what came back."""
    addresses, prefix, messages, first, last, threads, copies = sys.argv[1:]
    each = frames(prefix, int(messages))
    total = int(messages) * int(copies)
    share = -(-total // int(threads))
    found: Counter[str] = Counter()
    lock = threading.Lock()
    running = []
    for number in range(int(first), int(last)):
        sequence = range(number * share, min((number + 1) * share, total))
        some = [each[n % len(each)] for n in sequence]
        address = addresses.split(",")[number % len(addresses.split(","))]
        running.append(threading.Thread(target=send, args=(address, some, found, lock)))
    for thread in running:
        thread.start()
    for thread in running:
        while thread.is_alive():
            thread.join(_TELL_SECONDS)
            with lock:
                print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
