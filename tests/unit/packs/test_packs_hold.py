"""Packs that ship beside the base ones: without faults, and every law holds."""

from __future__ import annotations

import pytest

from adapter.fhir.format import FhirFormat
from adapter.mapping.check import check_pack
from adapter.mapping.domain import read_domain
from adapter.mapping.laws import laws_of
from adapter.mapping.packs import Packs, load_packs
from adapter.referral.csv_format import CsvFormat
from adapter.referral.format import ReferralFormat
from adapter_hl7v2.format import Hl7v2Format

PACKS = ["csv_referral", "sdohcc", "hl7v2_360x"]


@pytest.fixture(scope="module")
def packs() -> Packs:
    formats = {
        each.name: each for each in (FhirFormat(), ReferralFormat(), CsvFormat(), Hl7v2Format())
    }
    return load_packs(formats, compiled=False)


@pytest.mark.parametrize("name", PACKS)
def test_a_pack_has_no_fault(packs: Packs, name: str) -> None:
    faults = check_pack(packs.packs[name].root, packs.packs, packs.formats)
    assert [str(each) for each in faults] == []


@pytest.mark.parametrize("name", PACKS)
def test_every_law_holds_for_a_pack(packs: Packs, name: str) -> None:
    results = list(laws_of(packs, name, cases=20))
    assert {each.law for each in results} >= {"there-and-back", "accounted", "expected", "tables"}
    assert [each.first_failure for each in results if each.failed] == []


@pytest.mark.parametrize("name", PACKS)
def test_every_map_states_its_domain(packs: Packs, name: str) -> None:
    pack = packs.packs[name]
    maps = {each.name for each in pack.tables.values() if not each.left.get("abstract")}
    assert set(read_domain(pack).maps) == maps
