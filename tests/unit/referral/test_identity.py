"""Ids of what a message maps to are name-based UUIDs."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from adapter.referral.identity import NAMESPACE, mapped_id


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_an_id_is_the_version_5_uuid_of_its_parts(parts: list[str]) -> None:
    assert mapped_id(*parts) == str(uuid.uuid5(NAMESPACE, "\x1f".join(parts)))
