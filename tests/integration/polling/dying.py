"""A service that is killed at the n-th passing of a named place, as a power cut would.

python -m tests.integration.polling.dying ADAPTER.TOML PLACE N
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from adapter.store import failpoints
from tests.integration.polling.stage import running


def main(file: str, place: str, times: str) -> None:
    """Run until it dies."""
    left = int(times)

    def passing(name: str) -> None:
        nonlocal left
        left -= name == place
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    async def run() -> None:
        async with running(Path(file)):
            failpoints.arm(passing)
            await asyncio.sleep(30)

    asyncio.run(run())


if __name__ == "__main__":
    main(*sys.argv[1:])
