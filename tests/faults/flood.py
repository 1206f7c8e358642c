"""One of the processes that flood: threads that each send the same messages again and again.

Arguments: addresses (``host:port``, by commas), prefix, messages, first and last thread, threads in
all, copies. Each thread has a connection of its own and sends in windows, as a hasty peer does. At
the end one line of JSON says how many answers were AA and how many were anything else.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections import Counter

from tests.integration.loop.harness import referral

_WINDOW = 50


def frames(prefix: str, messages: int) -> list[bytes]:
    """Each message as it goes over the wire."""
    return [b"\x0b" + referral(f"{prefix}{n}").encode() + b"\x1c\r" for n in range(messages)]


def send(address: str, some: list[bytes], found: Counter[str], lock: threading.Lock) -> None:
    """All of them over one connection."""
    host, _, port = address.rpartition(":")
    answers: Counter[str] = Counter()
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
            answers["AA"] += taken
            answers["other"] += len(window) - taken
    with lock:
        found.update(answers)


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
        thread.join()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
