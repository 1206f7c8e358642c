"""kill -9: what was acknowledged is there, whole and once; what was not is there whole or not."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from adapter.security.keyring import Keyring
from adapter.store import failpoints
from adapter.store.store import Store
from adapter.store.transaction import Transaction

PROGRAM = Path(__file__).with_name("writing_process.py")
POINTS = [name for name in failpoints.names() if name.startswith("store.")]


def killed(
    address: str, keyring_file: Path, name: str, *die: str, after: int = 1_000_000
) -> set[str]:
    """Run the writing process until it dies by itself, or is killed after it was told so many keys
    are durable; the keys that it was told.
    """
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), address, str(keyring_file), name, *die],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout is not None
    told: list[bytes] = []
    try:
        for line in process.stdout:
            told.append(line)
            if len(told) > after:
                process.kill()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    return {line.decode().strip() for line in told if line.endswith(b"\n") and line != b"ready\n"}


def check(store: Store, acknowledged: set[str]) -> int:
    """Nothing acknowledged is lost, nothing is there twice or by half; how many there are."""

    def look(tx: Transaction) -> int:
        rows = tx.inbox.list()
        keys = [row.key for row in rows]
        assert acknowledged <= set(keys)
        assert len(keys) == len(set(keys))
        assert all(row.processed and row.referral for row in rows)
        referrals = {row.referral for row in rows}
        assert referrals == {row.id for row in tx.cases.list()}
        assert referrals == {row.referral for row in tx.outbox.list()}
        assert referrals == {row.id for _, row in tx.resources.search("Task")}
        assert len(tx.journal.after(0, 1_000_000)) == len(rows) == len(tx.audit.list())
        assert tx.journal.verify() == tx.audit.verify() == []
        return len(rows)

    return store.read_now(look)


@pytest.fixture
def keyring_file(tmp_path: Path, keyring: Keyring) -> Path:
    path = tmp_path / "keyring"
    path.write_text(keyring.to_text())
    return path


def test_a_process_killed_at_random_moments_loses_nothing(
    address: str, keyring: Keyring, keyring_file: Path
) -> None:
    moments = random.Random()
    acknowledged: set[str] = set()
    for run in range(2 if address.startswith("sqlite") else 1):
        after = moments.randrange(5, 60)
        acknowledged |= killed(address, keyring_file, f"run{run}", after=after)
        store = Store.open(address, keyring)
        there = check(store, acknowledged)
        store.close()
    assert 0 < len(acknowledged) <= there


@pytest.mark.parametrize(
    ("address", "point"),
    [("sqlite", point) for point in POINTS] + [("postgresql", "store.after-commit")],
    indirect=["address"],
)
def test_a_process_killed_at_a_failpoint_loses_nothing(
    address: str, keyring: Keyring, keyring_file: Path, point: str
) -> None:
    acknowledged = killed(address, keyring_file, "run", point, "7")
    store = Store.open(address, keyring)
    there = check(store, acknowledged)
    store.close()
    assert there >= len(acknowledged) > 0
