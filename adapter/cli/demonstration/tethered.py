"""The program as a child that does not outlive its parent: it stops when its stdin ends.

A parent that is killed cannot stop its children; but then its end of their stdin closes. Used as
``python -m adapter.cli.demonstration.tethered serve …``.
"""

from __future__ import annotations

import os
import signal
import threading

from adapter.cli.main import main


def _stop_at_the_end() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_stop_at_the_end, name="tether", daemon=True).start()
    main()
