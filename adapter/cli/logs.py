"""The log of a running service: structured lines on stderr, without anything about a person.

An exception is logged as its class and the places in the code it passed; its message is left out,
because a message may repeat a value.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog
import typer

from adapter.security.known_secrets import without


def chosen_level(word: str) -> str:
    """A level as an option gave it.

    Raises:
        typer.BadParameter: it is none.
    """
    level = word.upper()
    if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise typer.BadParameter("expected DEBUG, INFO, WARNING or ERROR", param_hint="--log-level")
    return level


def configure(*, json: bool, level: str = "INFO") -> None:
    """Set up logging for this process, once."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            places_only,
            no_secrets,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, Unfailing(sys.stderr))),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.ERROR, handlers=[Library()], force=True)
    logging.captureWarnings(True)


def no_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace every secret that was read from the configuration (a structlog processor)."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = without(value)
        elif not isinstance(value, int | float | None):
            shown = repr(value)
            hidden = without(shown)
            if hidden != shown:
                event[key] = hidden
    return event


class Unfailing:
    """A stream that never fails: what cannot be written is counted, and told when it can be.

    A log that is full must cost its lines, and nothing else. The disk that it is on is often the
    one of the store, which heals by itself when there is space again.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._left_out = 0

    def write(self, text: str) -> int:
        """Write, or count."""
        try:
            if self._left_out:
                self._stream.write(f'{{"event": "log.left-out", "writes": {self._left_out}}}\n')
                self._left_out = 0
            return self._stream.write(text)
        except OSError:
            self._left_out += 1
            return len(text)

    def flush(self) -> None:
        """Flush, as far as it goes."""
        try:
            self._stream.flush()
        except OSError:
            self._left_out += 1


class Library(logging.Handler):
    """What a library logs, in our form.

    Only the first line, before anything is put into it: what is put in, and the lines after it (as
    asyncio writes them), may repeat a value.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one record on."""
        said = str(record.msg).strip().partition("\n")[0][:200]
        structlog.get_logger(record.name).log(
            record.levelno, "log.library", library=record.name, said=said, exc_info=record.exc_info
        )


def places_only(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace an exception by its class and the places it passed (a structlog processor)."""
    found = event.pop("exc_info", None)
    if found is True:
        found = sys.exc_info()[1]
    elif isinstance(found, tuple):
        found = found[1]
    if isinstance(found, BaseException):
        event["exception"] = type(found).__name__
        event["places"] = [
            f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(found.__traceback__)[-8:]
        ]
    return event
