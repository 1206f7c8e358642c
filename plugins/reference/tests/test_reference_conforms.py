"""The plugin `reference` against the whole conformance kit."""

from __future__ import annotations

import pytest

from adapter_conformance.run import examine
from adapter_conformance.subject import installed

pytestmark = pytest.mark.network


def test_reference_is_at_least_reliable() -> None:
    outcome = examine(installed("reference"))

    assert [each for each in outcome.results if each.word == "fail"] == []
    assert outcome.level in ("Reliable", "Complete")
