"""The desk in memory, and visits to the pages."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from adapter.plugin.pages import Page, Visit
from adapter.portal.pages import Pages

sys.path.insert(0, str(Path(__file__).parents[2] / "browser"))

from memory_desk import MemoryDesk


@pytest.fixture
def desk() -> MemoryDesk:
    return MemoryDesk()


@pytest.fixture
def visit() -> Callable[..., Visit]:
    def make(name: str = "referral", **changes: Any) -> Visit:
        values = {
            "language": "en",
            "action": "/l/x/referral?lang=en",
            "languages": {"en": "/l/x?lang=en", "fr": "/l/x?lang=fr"},
            "fulfilment": "work-1",
            "actor": "link:0123456789abcdef",
            "csrf": "c" * 64,
            "reference": "rx-7f3a2c",
            **changes,
        }
        return Visit(name=name, **values)  # type: ignore[arg-type]

    return make


@pytest.fixture
def pages() -> Pages:
    numbers = count(1)
    return Pages(new_key=lambda: f"key-{next(numbers)}")


@pytest.fixture
def show(pages: Pages, desk: MemoryDesk, visit: Callable[..., Visit]) -> Callable[..., Page]:
    """Show a page: `show("gone", language="fr")`."""

    def run(name: str = "referral", **changes: Any) -> Page:
        return asyncio.run(pages.page(visit(name, **changes), site="agency", desk=desk))

    return run


@pytest.fixture
def send(pages: Pages, desk: MemoryDesk, visit: Callable[..., Visit]) -> Callable[..., Page]:
    """Post a form: `send({"do": "accept"}, language="fr")`; single values may stand alone."""

    def run(form: dict[str, Any], **changes: Any) -> Page:
        lists = {k: v if isinstance(v, list) else [v] for k, v in form.items()}
        acted = asyncio.run(pages.act(visit(**changes), lists, site="agency", desk=desk))
        assert acted.page is not None
        assert acted.status == acted.page.status
        return acted.page

    return run


@pytest.fixture
def at(desk: MemoryDesk) -> Callable[..., None]:
    """Put the fulfilment into a state: `at("accepted")`."""

    def put(status: str, **changes: Any) -> None:
        work = replace(desk.work, status=status, **changes)
        desk.case = desk.case.with_fulfilment(work)

    return put
