"""Claim from a store with so many lanes that are due; print the p99 of a claim and the peak memory.

python bench/long_queue.py FILE LANES TIMES
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from adapter.security.keyring import Keyring
from adapter.store.store import Store

FILL = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
INSERT INTO outbox (id, organization, referral, destination, lane_sequence, event, kind, test,
                    state, attempts, created_at, next_at, due_at)
SELECT printf('%036d', i), 'bench', printf('lane-%031d', (i * 7919) % 1000003), 'agency', i,
       'request', '', 1, 'due', 0, 1, i, i FROM n
"""


def main(file: Path, lanes: int, times: int) -> None:
    for end in ("", "-wal", "-shm"):
        file.with_name(file.name + end).unlink(missing_ok=True)
    store = Store.open(f"sqlite:///{file}", Keyring.generate())
    connection = store.dialect.connect(writer=True)
    connection.execute("BEGIN")
    connection.execute(FILL, (lanes,))
    connection.execute(
        "INSERT INTO outbox_bodies (sequence, organization) SELECT sequence, 'bench' FROM outbox"
    )
    connection.execute("COMMIT")
    connection.close()
    seconds = []
    for _ in range(times):
        now = datetime.now(UTC)
        started = time.perf_counter()
        (row,) = store.write_now(lambda tx, now=now: tx.outbox.claim_due(now, 1))
        seconds.append(time.perf_counter() - started)
        store.write_now(lambda tx, row=row, now=now: tx.outbox.delivered(row.id, {}, now))
    store.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(statistics.quantiles(seconds, n=100)[98], peak)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
