from __future__ import annotations

import pytest

from adapter.cli.failure import exit_code, is_ours, report
from adapter.plugin.errors import (
    AuthError,
    ConfigError,
    DataError,
    GoneError,
    PluginError,
    SystemFault,
    TransientError,
)
from adapter.store.errors import StoreFault


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("config.x", "m"), 3),
        (PluginError("plugin.x", "m"), 3),
        (StoreFault("store.x", "m"), 4),
        (TransientError("peer.x", "m"), 5),
        (AuthError("peer.x", "m"), 5),
        (GoneError("peer.x", "m"), 5),
        (SystemFault("peer.x", "m"), 5),
        (DataError("message.x", "m"), 1),
        (ValueError("anything"), 1),
        (FileNotFoundError(2, "No such file or directory", "no/such/loss.ndjson"), 2),
        (OSError(28, "No space left on device"), 1),
    ],
)
def test_each_error_has_its_documented_exit_code(error: Exception, code: int) -> None:
    assert exit_code(error) == code


def test_an_error_is_told_as_message_fix_and_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(ConfigError("config.wrong", "the key is wrong", fix="Correct it.")) == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == "Error: the key is wrong\n  Fix:  Correct it.\n  Code: config.wrong\n"


def test_a_file_that_cannot_be_used_is_no_fault_of_the_adapter(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert report(PermissionError(13, "Permission denied", "loss.ndjson")) == 2
    told = capsys.readouterr().err
    assert "loss.ndjson cannot be read or written (Permission denied)" in told
    assert "file.unusable" in told
    assert "the adapter itself failed" not in told


def test_an_error_of_our_own_making_repeats_no_value(capsys: pytest.CaptureFixture[str]) -> None:
    report(KeyError("Synthetic^Test"))
    told = capsys.readouterr().err
    assert "Synthetic" not in told
    assert "internal.error" in told
    assert "Traceback" not in told


def test_a_traceback_is_shown_only_when_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADAPTER_DEBUG", "1")
    try:
        raise ConfigError("config.wrong", "the key is wrong")
    except ConfigError as error:
        report(error)
    assert "Traceback" in capsys.readouterr().err


def test_a_reader_that_went_away_is_not_an_error_of_ours() -> None:
    assert not is_ours(BrokenPipeError())
    assert is_ours(OSError())
