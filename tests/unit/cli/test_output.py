from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.cli.logs import places_only
from adapter.cli.printing import emit, table
from adapter.cli.serve import without_password


def test_a_table_keeps_ids_whole_and_loses_no_text_in_a_narrow_window(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    identity = "0c1d2e3f-aaaa-bbbb-cccc-0123456789ab"
    words = "the same message id came before with other content"
    table(("id", "error"), [{"id": identity, "error": words}])
    shown = capsys.readouterr().out
    assert identity in shown
    assert set(words.split()) <= set(shown.split())
    assert max(map(len, shown.splitlines())) <= 62


def test_an_empty_table_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    table(("id",), [], empty="Nothing has arrived.")
    assert capsys.readouterr().out == "Nothing has arrived.\n"


def test_a_document_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    emit({"what": "two\nlines", "number": 1})
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out) == {"what": "two\nlines", "number": 1}


SAFE = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=12)


@given(user=SAFE, password=SAFE.map(lambda text: f"SECRET{text}"), host=SAFE, database=SAFE)
def test_a_store_is_shown_without_its_password(
    user: str, password: str, host: str, database: str
) -> None:
    shown = without_password(f"postgresql://{user}:{password}@{host}:5432/{database}")
    assert password not in shown
    assert shown == f"postgresql://{user}@{host}:5432/{database}"


def test_a_file_store_is_shown_as_it_is() -> None:
    assert without_password("sqlite:////srv/adapter.sqlite3") == "sqlite:////srv/adapter.sqlite3"


def logged(event: dict[str, Any]) -> dict[str, Any]:
    return dict(places_only(None, "error", event))


def test_an_exception_is_logged_by_its_class_and_places_never_its_message() -> None:
    try:
        raise ValueError("Synthetic^Test 9999999999")
    except ValueError as error:
        for given_as in (True, error, (type(error), error, error.__traceback__)):
            event = logged({"event": "engine.fault", "exc_info": given_as})
            assert event["exception"] == "ValueError"
            assert any("test_output.py" in place for place in event["places"])
            assert "Synthetic" not in repr(event)


def test_an_event_without_an_exception_is_left_alone() -> None:
    assert logged({"event": "site.ready", "site": "clinic"}) == {
        "event": "site.ready",
        "site": "clinic",
    }
