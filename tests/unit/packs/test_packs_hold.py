"""Packs that ship beside the base ones: without faults, and every law holds."""

from __future__ import annotations

import pytest

from adapter.cli.formats import installed_formats
from adapter.mapping.check import check_pack
from adapter.mapping.laws import laws_of
from adapter.mapping.packs import Packs, load_packs

PACKS = ["csv_referral"]


@pytest.fixture(scope="module")
def packs() -> Packs:
    return load_packs(installed_formats(), compiled=False)


@pytest.mark.parametrize("name", PACKS)
def test_a_pack_has_no_fault(packs: Packs, name: str) -> None:
    faults = check_pack(packs.packs[name].root, packs.packs, packs.formats)
    assert [str(each) for each in faults] == []


@pytest.mark.parametrize("name", PACKS)
def test_every_law_holds_for_a_pack(packs: Packs, name: str) -> None:
    results = list(laws_of(packs, name, cases=100))
    assert {each.law for each in results} >= {"there-and-back", "accounted", "expected", "tables"}
    assert [each.first_failure for each in results if each.failed] == []


@pytest.mark.parametrize("name", PACKS)
def test_every_map_has_a_case_and_a_domain(packs: Packs, name: str) -> None:
    results = list(laws_of(packs, name, cases=1))
    for table in packs.packs[name].tables.values():
        if not table.left.get("abstract"):
            laws = {each.law for each in results if each.map == table.name}
            assert {"there-and-back", "expected"} <= laws, table.name
