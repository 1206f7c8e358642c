"""A progress bar on stderr while many messages are worked on."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from adapter.cli.formats import STDIN

if TYPE_CHECKING:
    from adapter.plugin.errors import DataError

_MANY = 20  # messages, from which on it is worth while to show how far it is


def shown(
    inputs: Iterable[tuple[str, bytes | DataError]], names: Sequence[str], doing: str
) -> Iterator[tuple[str, bytes | DataError]]:
    """The messages of these inputs, with a progress bar on a terminal once there are many.

    It goes by bytes, where the inputs are files.
    """
    if not sys.stderr.isatty():
        yield from inputs
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    progress = Progress(
        TextColumn(doing), BarColumn(), TextColumn("{task.fields[count]} messages"),
        TimeRemainingColumn(), console=Console(stderr=True), transient=True,
        redirect_stdout=False,  # what is written there is the output
    )  # fmt: skip
    task = progress.add_task("", total=_size(names), count=0)
    try:
        for number, (name, message) in enumerate(inputs, 1):
            yield name, message
            if number == _MANY:
                progress.start()
            read = len(message) if isinstance(message, bytes) else 0
            progress.update(task, advance=read, count=number)
    finally:
        progress.stop()


def _size(names: Sequence[str]) -> int | None:
    """Bytes of all inputs, if that can be told before they are read."""
    files = [Path(name) for name in names if name != STDIN]
    known = len(files) == len(names) and all(each.is_file() for each in files)
    return sum(each.stat().st_size for each in files) if known else None
