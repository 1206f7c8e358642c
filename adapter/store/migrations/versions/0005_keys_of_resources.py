"""Search keys belong to a resource, not to each of its versions: a new version rarely has others.

Whether the newest version still has what a key stands for is asked of its content.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.rename_table("resource_keys", "resource_keys_of_versions")
    op.create_table(
        "resource_keys",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("organization", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", "id", "type"),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO resource_keys (key, id, type, organization)"
        " SELECT k.key, r.id, r.type, min(r.organization)"
        " FROM resource_keys_of_versions k JOIN resources r ON r.sequence = k.sequence"
        " GROUP BY k.key, r.id, r.type"
    )
    op.drop_table("resource_keys_of_versions")
