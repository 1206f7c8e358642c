from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from adapter.cli.logs import configure


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    handlers, level = logging.root.handlers[:], logging.root.level
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    configure(json=True)
    yield stream
    logging.captureWarnings(False)
    logging.root.handlers, logging.root.level = handlers, level
    structlog.reset_defaults()


def lines(log: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_an_exception_is_its_class_and_its_places_never_its_message(
    log: io.StringIO,
) -> None:
    try:
        raise ValueError("canary")
    except ValueError:
        logging.getLogger("library").exception("it failed for %s", "canary")
    (line,) = lines(log)
    assert line["exception"] == "ValueError"
    assert line["said"] == "it failed for %s"
    assert line["places"]
    assert "canary" not in json.dumps(line)


def test_what_asyncio_says_of_a_lost_exception_repeats_no_value(
    log: io.StringIO,
) -> None:
    async def work() -> None:
        asyncio.get_running_loop().call_exception_handler(
            {"message": "Task exception was never retrieved", "exception": ValueError("canary")}
        )

    asyncio.run(work())
    (line,) = lines(log)
    assert line["said"] == "Task exception was never retrieved"
    assert "canary" not in json.dumps(line)
