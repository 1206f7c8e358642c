"""The commands that keep a store sound, on a store that `init` makes, called as a person would."""

from __future__ import annotations

import errno
import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapter.cli import audit, init
from adapter.cli.main import main
from adapter.exchange.config import load_config
from adapter.exchange.store_settings import store_url
from adapter.plugin.errors import ConfigError
from adapter.security import key_file
from adapter.security.keyring import Keyring
from adapter.store.rotation import rewrap
from adapter.store.store import Store
from tests.integration.store.work import ORGANIZATION, open_case, queue, receive

Run = Callable[..., Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration with a store that holds ten referrals, messages and deliveries."""
    made = tmp_path / "made"
    made.mkdir()
    init.write(made, example=True, answers_port=9, smtp_port=9)
    init.make_store(made / "adapter.toml")
    with _open(made) as store:
        for n in range(10):
            store.write_now(lambda tx, n=n: receive(tx, str(n)))
            document = {"referral": {"subject": {"identifiers": [{"value": f"SYNTH-{n // 2}"}]}}}
            referral = store.write_now(lambda tx, d=document: open_case(tx, d))
            store.write_now(lambda tx, r=referral: queue(tx, r))
            store.write_now(
                lambda tx, n=n: tx.audit.append({"action": "R", "n": n}, organization=ORGANIZATION)
            )
    return made


class _open:  # noqa: N801 - reads as a function
    def __init__(self, folder: Path) -> None:
        config = load_config(folder / "adapter.toml")
        keyring = Keyring.load(config.store.key, base=config.folder)
        self.store = Store.open(store_url(config), keyring)

    def __enter__(self) -> Store:
        return self.store

    def __exit__(self, *_: object) -> None:
        self.store.close()


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Run a command with --json; what it printed, after checking its exit code."""

    def call(*words: str, expect: int = 0, text: bool = False) -> Any:
        extra = [] if text else ["--json"]
        with pytest.raises(SystemExit) as ended:
            main([*words, "--config", str(folder / "adapter.toml"), *extra])
        printed = capsys.readouterr()
        assert ended.value.code == expect, printed.err
        if expect not in (0, 1) or text or not printed.out.strip():
            return printed.out + printed.err
        return json.loads(printed.out)

    return call


def test_a_backup_restores_into_an_empty_store_with_equal_counts(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "one.backup"
    made = run("db", "backup", str(file))
    assert made["counts"]["cases"] == 10
    assert run("db", "restore", str(file), "--dry-run")["counts"] == made["counts"]
    full = run("db", "restore", str(file), expect=4)
    assert "backup.not-empty" in full
    for end in ("", "-wal", "-shm"):
        (folder / f"adapter.sqlite3{end}").unlink(missing_ok=True)
    assert run("db", "restore", str(file))["counts"] == made["counts"]
    assert {row["state"] for row in run("db", "check")} == {"ok"}


def test_a_backup_that_is_there_already_is_not_overwritten(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "one.backup"
    file.write_text("mine")
    assert "backup.exists" in run("db", "backup", str(file), expect=4)
    assert file.read_text() == "mine"


def test_upgrade_says_where_the_tables_stand(run: Run) -> None:
    told = run("db", "upgrade", "--dry-run")
    assert told["from"] == told["to"]
    assert run("db", "upgrade")["upgraded"] is False


def test_rotation_wraps_every_data_key_anew_and_forgets_the_old_one_later(
    run: Run, folder: Path
) -> None:
    (old,) = run("keys", "list")
    assert old["active"] is True
    assert old["data_keys"] >= 10
    assert [row["id"] for row in run("keys", "rotate", "--dry-run")] == [old["id"]]
    new, before = run("keys", "rotate")
    assert (new["data_keys"], new["active"]) == (old["data_keys"], True)
    assert (before["id"], before["data_keys"], before["active"]) == (old["id"], 0, False)
    key = folder / "adapter.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert "keys.too-early" in run("keys", "rotate", "--forget", expect=3)
    long_ago = time.time() - 600
    os.utime(key, (long_ago, long_ago))
    run("keys", "rotate", "--forget", expect=1)  # nobody said yes
    assert len(run("keys", "list")) == 2
    planned = run("keys", "rotate", "--forget", "--dry-run", text=True)
    assert f"forget {old['id']}" in planned
    (left,) = run("keys", "rotate", "--forget", "--yes")
    assert left["id"] == new["id"]
    assert len(run("referrals", "list")) == 10


def test_a_rotation_that_was_interrupted_goes_on_without_another_key(
    run: Run, folder: Path
) -> None:
    keyring = Keyring.load("file:adapter.key", base=folder)
    key_file.replace(folder / "adapter.key", keyring.rotated(), known=keyring)
    rows = run("keys", "rotate")
    assert len(rows) == 2
    assert [bool(row["data_keys"]) for row in rows] == [True, False]


def test_a_key_that_somebody_else_made_meanwhile_is_not_lost(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is asked whether to forget a key may think about it for an hour."""
    run("keys", "rotate")
    key = folder / "adapter.key"
    long_ago = time.time() - 600
    os.utime(key, (long_ago, long_ago))

    def rotated_meanwhile(*_: object, **__: object) -> bool:
        rotated = Keyring.load("file:adapter.key", base=folder)
        key_file.replace(key, rotated.rotated(), known=rotated)
        with _open(folder) as store:
            rewrap(store)
        return True

    monkeypatch.setattr("typer.confirm", rotated_meanwhile)
    said = run("keys", "rotate", "--forget", text=True, expect=3)
    assert "keys.changed" in said or "keyring.changed" in said
    assert len(run("referrals", "list")) == 10
    assert {row["state"] for row in run("db", "check")} == {"ok"}


def test_a_process_that_stood_still_seals_with_no_key_that_was_forgotten(
    run: Run, folder: Path
) -> None:
    with _open(folder) as running:
        assert running.read_now(lambda tx: len(tx.cases.list())) == 10
        run("keys", "rotate")
        long_ago = time.time() - 600
        os.utime(folder / "adapter.key", (long_ago, long_ago))
        (left,) = run("keys", "rotate", "--forget", "--yes")
        referral = running.write_now(open_case)
    with _open(folder) as again:
        assert again.read_now(lambda tx: tx.cases.get(referral)) is not None
    assert [row["data_keys"] for row in run("keys", "list")] == [left["data_keys"] + 1]


def test_an_older_key_file_that_was_put_back_is_told_while_it_can_be_mended(
    run: Run, folder: Path
) -> None:
    """As a tool that keeps configurations does; the running service has the new key in memory."""
    key = folder / "adapter.key"
    old = key.read_text()
    with _open(folder) as running:
        run("keys", "rotate")
        new = key.read_text()
        running.read_now(lambda tx: tx.session.prove_key_is_kept())
        key.write_text(old)
        with pytest.raises(ConfigError, match="not-kept"):
            running.read_now(lambda tx: tx.session.prove_key_is_kept())
        key.unlink()  # perhaps it is only shown at a start
        running.read_now(lambda tx: tx.session.prove_key_is_kept())
        key.write_text(new)
        running.read_now(lambda tx: tx.session.prove_key_is_kept())


def test_who_could_read_the_key_can_read_the_new_one(run: Run, folder: Path) -> None:
    """A service may read it as a member of its group, or by a link to another folder."""
    elsewhere = folder / "secrets"
    elsewhere.mkdir()
    key = folder / "adapter.key"
    kept = key.rename(elsewhere / "real.key")
    key.symlink_to(kept)
    kept.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(kept, 1234, 5678)
    before = kept.stat()
    left = elsewhere / ".real.key.0123abcd.part"
    left.write_text("what a killed rotation left")
    run("keys", "rotate")
    after = kept.stat()
    assert key.is_symlink()
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode, before.st_uid, before.st_gid,
    )  # fmt: skip
    assert after.st_ino != before.st_ino
    assert list(elsewhere.iterdir()) == [kept]


def test_a_running_process_learns_a_new_key_from_the_file(run: Run, folder: Path) -> None:
    with _open(folder) as running:
        run("keys", "rotate")
        running.keys.forget()  # what was unwrapped is trusted for a minute
        assert len(running.read_now(lambda tx: tx.cases.list())) == 10
        referral = running.write_now(open_case)
        assert running.read_now(lambda tx: tx.cases.get(referral)) is not None
    assert [bool(row["data_keys"]) for row in run("keys", "list")] == [True, False]


def test_audit_verify_finds_and_locates_an_edit(run: Run, folder: Path) -> None:
    assert run("audit", "verify")["problems"] == []
    with _open(folder) as store:
        connection = store.dialect.connect(writer=True)
        connection.execute("DROP TRIGGER audit_no_update")
        connection.execute("UPDATE audit SET recorded_at = recorded_at + 1 WHERE sequence = 4")
        connection.close()
    told = run("audit", "verify", expect=1)
    assert told["problems"] == [{"chain": "audit", "sequence": 4, "what": "changed"}]


def test_a_checkpoint_from_elsewhere_shows_that_an_older_store_was_put_back(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    run("db", "backup", str(tmp_path / "old.backup"))
    with _open(folder) as store:
        store.write_now(lambda tx: receive(tx, "newer"))
    kept, out = tmp_path / "kept", tmp_path / "events"
    run("audit", "export", "--output", str(out), "--checkpoint", str(kept))
    assert run("audit", "verify", "--checkpoints", str(kept))["checkpoints"] == 2
    for end in ("", "-wal", "-shm"):
        (folder / f"adapter.sqlite3{end}").unlink(missing_ok=True)
    run("db", "restore", str(tmp_path / "old.backup"))
    assert run("audit", "verify")["problems"] == []
    told = run("audit", "verify", "--checkpoints", str(kept), expect=1)
    assert {row["what"] for row in told["problems"]} == {"checkpoint truncated"}


def test_the_export_gives_every_event_and_audits_itself(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "events.ndjson"
    printed = run("audit", "export", "--json", text=True)
    assert json.loads(printed.splitlines()[0])["resourceType"] == "AuditEvent"
    told = run("audit", "export", "--output", str(out))
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert told["events"] == len(lines) == 12
    assert {line["resourceType"] for line in lines} == {"AuditEvent"}
    assert lines[-1]["entity"][0]["description"] == "the audit, exported"
    assert run("audit", "verify")["problems"] == []


def test_an_export_that_is_broken_off_leaves_the_one_before(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    out = folder / "events.ndjson"
    run("audit", "export", "--output", str(out))
    before = out.read_bytes()
    run("audit", "export", "--output", "/dev/null")
    assert not Path("/dev/null").is_file()

    def full(*_: object) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("adapter.cli.audit._line", full)
    with pytest.raises(OSError, match="space"):
        audit.export(config=folder.parent / "made" / "adapter.toml", output=out)
    assert out.read_bytes() == before
    assert list(folder.iterdir()) == [out]


def test_a_checkpoint_that_was_broken_off_is_not_one(run: Run, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    out = ("--output", str(tmp_path / "events"), "--checkpoint", str(kept))
    run("audit", "export", *out)
    whole = kept.read_bytes()
    kept.write_bytes(whole + whole[:50])  # its writer died
    assert run("audit", "verify", "--checkpoints", str(kept))["checkpoints"] == 2
    run("audit", "export", *out)
    assert kept.read_bytes().startswith(whole)
    kept.write_bytes(kept.read_bytes().removesuffix(b"\n"))  # an editor's doing
    assert run("audit", "verify", "--checkpoints", str(kept))["checkpoints"] == 4
    run("audit", "export", *out)
    assert run("audit", "verify", "--checkpoints", str(kept))["checkpoints"] == 6
    kept.write_bytes(whole[:50] + b"\n" + whole)  # a whole line is nobody's accident
    assert "checkpoint.not-genuine" in run("audit", "verify", "--checkpoints", str(kept), expect=4)


def test_erasing_a_person_takes_the_referrals_that_share_a_number(run: Run, folder: Path) -> None:
    first = run("referrals", "list")[0]["id"]
    words = ("referrals", "erase", first, "--reason", "asked for", "--same-person")
    planned = run(*words, "--dry-run")
    assert len(planned["referrals"]) == 2
    assert planned["erased"] is False
    assert run(*words, "--yes")["referrals"] == planned["referrals"]
    with _open(folder) as store:
        gone = [store.read_now(lambda tx, r=r: tx.cases.get(r)) for r in planned["referrals"]]
        assert all(row is not None and row.erased_at and row.document == {} for row in gone)
        (event,) = store.read_now(lambda tx: tx.audit.of(first))
        assert event.event["action"] == "D"
    assert {row["state"] for row in run("db", "check")} == {"ok"}
    assert "referral.unknown" in run(*words, "--yes", expect=1)
    listed = {row["id"]: row["erased_at"] for row in run("referrals", "list")}
    assert {each for each, at in listed.items() if at} == set(planned["referrals"])
    assert "erased" in run("referrals", "list", text=True)
    assert "was erased at" in run("referrals", "show", first, text=True)


def test_a_message_that_became_no_referral_is_erased_for_good(run: Run, folder: Path) -> None:
    words = b"CANARY-" * 9
    with _open(folder) as store:
        aside = store.write_now(lambda tx: receive(tx, "aside", words)).id
        store.write_now(lambda tx: tx.inbox.mark(aside, "quarantined", code="c", error="e"))
    reason = ("--reason", "asked for")
    run("inbox", "erase", aside, *reason, expect=1)  # nobody said yes
    assert "inbox.unknown" in run("inbox", "erase", aside, "nonsense", *reason, "--yes", expect=1)
    assert "CANARY" in run("inbox", "show", aside, "--content")["content"]

    (row,) = run("inbox", "erase", aside, *reason, "--yes")
    assert (row["state"], row["key"], row["code"]) == ("discarded", None, "inbox.erased")
    assert run("inbox", "show", aside, "--content")["content"] == ""
    assert "inbox.not-quarantined" in run("inbox", "replay", aside, expect=1)
    with _open(folder) as store:
        assert store.read_now(lambda tx: tx.journal.newest()) is not None
        events = [each.event["action"] for each in store.read_now(lambda tx: tx.audit.list())]
        assert "D" in events
    assert run("audit", "verify")["problems"] == []
    assert {row["state"] for row in run("db", "check")} == {"ok"}


def test_a_message_of_a_referral_is_erased_with_its_person(run: Run, folder: Path) -> None:
    first = run("referrals", "list")[0]["id"]
    with _open(folder) as store:
        waiting = store.write_now(lambda tx: receive(tx, "waiting")).id
        used = store.write_now(lambda tx: receive(tx, "used")).id
        store.write_now(lambda tx: tx.inbox.mark(used, "processed", referral=first))
    words = ("--reason", "asked for", "--yes")
    assert "inbox.not-erasable" in run("inbox", "erase", waiting, *words, expect=1)
    assert first in run("inbox", "erase", used, *words, expect=1)


def test_without_yes_nothing_is_erased_unless_somebody_says_so(run: Run) -> None:
    first = run("referrals", "list")[0]["id"]
    run("referrals", "erase", first, "--reason", "asked for", text=True, expect=1)
    run("referrals", "erase", first, "--reason", "asked for", expect=1)
    assert run("referrals", "show", first)["id"] == first


def test_a_paused_site_says_why_and_a_resumed_one_tries_at_once(run: Run) -> None:
    run("sites", "pause", "agency", "--reason", "moving house")
    (row,) = [row for row in run("sites", "list") if row["site"] == "agency"]
    assert (row["state"], row["error"]) == ("paused", "moving house")
    assert run("sites", "resume", "agency")["state"] == "ready"
    (row,) = [row for row in run("sites", "list") if row["site"] == "agency"]
    assert (row["state"], row["error"]) == ("ready", None)
    assert "site.unknown" in run("sites", "resume", "nobody", expect=3)


def test_the_doctor_finds_nothing_wrong_with_what_init_made(run: Run) -> None:
    rows = run("doctor", "--offline")
    assert [row for row in rows if row["state"] == "fail"] == []
    names = {row["check"].split()[0] for row in rows}
    assert names >= {
        "versions", "configuration", "plugin", "tables", "programs", "keys", "store", "disk",
        "clock", "port",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("file", "text", "check"),
    [
        ("adapter.toml", "organization = 1", "configuration"),
        ("adapter.key", "not a key", "keys"),
        ("programs.toml", '[[program]]\nid = "x"\nname_en = "X"\nsite = "nowhere"\n', "programs"),
        ("adapter.sqlite3", "no database", "store"),
    ],
)
def test_the_doctor_says_what_is_wrong_and_what_to_do(
    run: Run, folder: Path, file: str, text: str, check: str
) -> None:
    for end in ("-wal", "-shm"):
        (folder / f"adapter.sqlite3{end}").unlink(missing_ok=True)
    (folder / file).write_text(text)
    rows = run("doctor", "--offline", expect=1)
    failed = [row for row in rows if row["state"] == "fail"]
    assert check in {row["check"] for row in failed}
    assert all(row["fix"] for row in failed)


def test_the_doctor_tells_of_a_key_that_others_may_read(run: Run, folder: Path) -> None:
    (folder / "adapter.key").chmod(0o644)
    (row,) = [row for row in run("doctor", "--offline") if row["check"] == "keys"]
    assert (row["state"], row["fix"]) == ("warn", f"chmod 600 {folder / 'adapter.key'}")


def test_a_delivery_shows_what_it_waits_for_and_its_content_only_if_asked_and_audited(
    run: Run, folder: Path
) -> None:
    first = run("deliveries", "list")[0]
    with _open(folder) as store:
        behind = store.write_now(lambda tx: queue(tx, first["referral"]))
        before = len(store.read_now(lambda tx: tx.audit.list()))
    shown = run("deliveries", "show", behind)
    assert shown["waits_for"] == first["id"]
    assert "content" not in shown
    assert run("deliveries", "show", behind, "--content")["content"] == {"event": "request"}
    with _open(folder) as store:
        events = store.read_now(lambda tx: tx.audit.list())[before:]
    assert [each.event["entity"][0]["what"]["reference"] for each in events] == [f"Binary/{behind}"]


def test_what_the_api_took_cannot_be_replayed_and_says_why(run: Run, folder: Path) -> None:
    with _open(folder) as store:
        row = store.write_now(lambda tx: receive(tx, "x", site="api"))
        store.write_now(
            lambda tx: tx.inbox.mark(row.id, "quarantined", code="c", error="e", fix="f")
        )
    told = run("inbox", "replay", row.id, expect=1)
    assert "Code: inbox.no-site" in told
    run("inbox", "discard", row.id, "--reason", "the client sends it again")
