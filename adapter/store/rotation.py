"""Key rotation while the service runs: data keys are wrapped again, and nothing else is touched.

The way: put a new key first in the keyring, start with it, run `rewrap`, and forget the old key
when nothing uses it any more.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import sqlalchemy as sa

from adapter.store import schema
from adapter.store.sealing import wrap_place
from adapter.store.statement import Statement
from adapter.store.store import Store
from adapter.store.transaction import Transaction

BATCH = 500
_t = schema.data_keys
_OLD = Statement(
    sa.select(_t.c.id, _t.c.wrapped)
    .where(
        _t.c.id > sa.bindparam("after"),
        _t.c.key_id != sa.bindparam("active"),
        _t.c.wrapped.is_not(None),
    )
    .order_by(_t.c.id)
    .limit(BATCH)
)
_REWRAP = Statement(
    sa.update(_t)
    .where(_t.c.id == sa.bindparam("row"), _t.c.wrapped == sa.bindparam("seen"))
    .values(wrapped=sa.bindparam("new_wrapped"), key_id=sa.bindparam("new_key"))
)
_USES = Statement(
    sa.select(_t.c.key_id, sa.func.count()).where(_t.c.wrapped.is_not(None)).group_by(_t.c.key_id)
)


def _silent(_: int) -> None:
    return


def rewrap(store: Store, *, progress: Callable[[int], None] = _silent) -> int:
    """Wrap every data key with the active key; how many were changed. Can be stopped and run again.

    `progress` is called after each batch with how many were changed so far.

    Raises:
        ConfigError: a data key was wrapped with a key that is not in the keyring.
    """
    store.write_now(lambda tx: tx.session.renew_proof())
    changed, after = 0, b""
    while True:
        done, last = store.write_now(partial(_batch, after=after))
        if last is None:
            return changed
        changed, after = changed + done, last
        progress(changed)


def uses(tx: Transaction) -> dict[str, int]:
    """How many data keys each key of the keyring wraps; a key without any may be forgotten."""
    return {row[0]: row[1] for row in tx.session.rows(_USES, {})}


def _batch(tx: Transaction, after: bytes) -> tuple[int, bytes | None]:
    session, keyring = tx.session, tx.keyring
    keyring.refresh()  # another rotation may have begun
    rows = session.rows(_OLD, {"after": after, "active": keyring.active})
    if not rows:
        return 0, None
    changes = []
    for row in rows:
        key_id, wrapped = bytes(row[0]), bytes(row[1])
        place = wrap_place(key_id)
        again = keyring.seal(keyring.open(wrapped, place), place)
        changes.append(
            {"row": key_id, "seen": wrapped, "new_wrapped": again, "new_key": keyring.active}
        )
    return session.many(_REWRAP, changes), bytes(rows[-1][0])
