"""A process that dies at a chosen step of a work: a sync, a rename, a statement, a commit.

The steps are nobody's list: they are counted as they come, in a fork of this process.
"""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from adapter.store import failpoints

Work = Callable[[], object]


def steps(work: Work) -> int:
    """How many steps a work has; it is done."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as counted:
        _forked(work, -1, lambda count: os.write(writing, str(count).encode()))
        os.close(writing)
        return int(counted.read())


def dies_at(work: Work, step: int) -> bool:
    """Do a work in a process that is killed when it comes to a step; False if it came to its end.

    Raises:
        AssertionError: the work failed.
    """
    return _forked(work, step, lambda _: None)


def _forked(work: Work, step: int, done: Callable[[int], object]) -> bool:
    pid = os.fork()
    if not pid:
        code = 1
        try:
            done(_counted(work, step))
            code = 0
        except BaseException:  # noqa: BLE001 - whatever it is, it must not run the test's own code
            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    assert status in (0, signal.SIGKILL), f"the work failed: {status}"
    return status == signal.SIGKILL


def _counted(work: Work, step: int) -> int:
    passed = 0

    def pass_one(*_: object) -> None:
        nonlocal passed
        if passed == step:
            os.kill(os.getpid(), signal.SIGKILL)
        passed += 1

    def around(call: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(call)
        def called(*words: Any) -> Any:
            pass_one()
            result = call(*words)
            pass_one()
            return result

        return called

    setattr(os, "fsync", around(os.fsync))  # noqa: B010 - a name that is typed as it is
    for name in ("replace", "rename"):
        setattr(Path, name, around(getattr(Path, name)))
    failpoints.arm(pass_one)
    for moment in ("before_cursor_execute", "commit"):
        sa.event.listen(sa.Engine, moment, pass_one)
    work()
    return passed
