"""Worker processes of sites: none outlives the service that started it, however that ended."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PARENT = """
import sys, time
from adapter.exchange.pool import one_worker
if __name__ == "__main__":
    pool = one_worker()
    done = pool.submit(time.sleep, float(sys.argv[1]))
    while not pool._processes:
        time.sleep(0.01)
    if sys.argv[2] == "waiting":
        done.result()
    elif sys.argv[2] == "busy":
        time.sleep(1)
    print(*pool._processes, flush=True)
    time.sleep(60)
"""


def _runs(pid: int) -> bool:
    try:
        stands = Path(f"/proc/{pid}/stat").read_text()
        return stands.rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="looks at processes in /proc")
@pytest.mark.parametrize(
    ("seconds", "when"), [("0", "waiting"), ("60", "busy"), ("60", "being-started")]
)
def test_no_worker_outlives_a_service_that_is_killed(
    tmp_path: Path, seconds: str, when: str
) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    command = [sys.executable, str(script), seconds, when]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        assert _runs(worker)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        until = time.monotonic() + 15
        while _runs(worker) and time.monotonic() < until:
            time.sleep(0.05)
        assert not _runs(worker)
