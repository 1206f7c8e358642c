"""The laws hold for the shipped packs, and notice when somebody bends one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapter.fhir.format import FhirFormat
from adapter.mapping import Packs, load_packs
from adapter.mapping.check import check_pack
from adapter.mapping.compare import difference
from adapter.mapping.domain import projected, read_domain
from adapter.mapping.laws import laws_of
from adapter.mapping.samples import document
from adapter.plugin.formats import Format
from adapter.referral.format import ReferralFormat
from adapter_hl7v2.format import Hl7v2Format

SHIPPED = ("hl7v2_ref", "fhir_r4")


@cache
def the_packs() -> Packs:
    found: list[Format] = [FhirFormat(), ReferralFormat(), Hl7v2Format()]
    root = resources.files("adapter_mappings")
    return load_packs({each.name: each for each in found}, core=[root / name for name in SHIPPED])


MAPS = [(pack, name) for pack in SHIPPED for name in read_domain(the_packs().packs[pack]).maps]


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_packs_keep_their_laws(name: str, packs: Packs) -> None:
    results = list(laws_of(packs, name, cases=15))
    assert [each for each in results if each.failed] == []
    assert {each.law for each in results} >= {
        "expected", "there-and-back", "back-and-there", "accounted", "nothing-invented",
        "well-formed", "checks",
    }  # fmt: skip


@pytest.mark.parametrize(("pack", "name"), MAPS)
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(random=st.randoms(use_true_random=False))
def test_whatever_the_domain_holds_comes_back(pack: str, name: str, random: Random) -> None:
    packs = the_packs().preferring(pack)
    domain = read_domain(packs.packs[pack]).maps[name]
    mapping = next(each for each in packs.maps if each.pack == pack and each.name == name)
    x = document(domain, random)
    raw = mapping.left_format.dump(mapping.to_left(x).tree)
    back = mapping.to_right(mapping.left_format.parse(raw)).document
    assert difference(x, projected(back, {**domain.carries, "kind": "token"})) is None


def bent(root: Path, file: str, old: str, new: str) -> None:
    target = root / file
    text = target.read_text()
    assert text.count(old) >= 1, f"{old} is not in {file}"
    target.write_text(text.replace(old, new, 1))


MUTANTS = [
    ("hl7v2_ref", "ref-i12.map.yaml", "  - [PID-5,   <->, referral.subject.name, name]\n", ""),
    ("hl7v2_ref", "ref-i12.map.yaml", "[PID-5,   <->,", "[PID-5,   ->,"),
    ("hl7v2_ref", "ref-i12.map.yaml", "[RF1-2,   <->,", "[RF1-2,   <-,"),
    ("hl7v2_ref", "ref-i12.map.yaml", "{const: REF_I12}", "{const: REF_I13}"),
    ("hl7v2_ref", "codes/v2-0280.csv", "S,http://hl7.org/fhir/request-priority,stat",
     "S,http://hl7.org/fhir/request-priority,asap"),
    ("hl7v2_ref", "codes/v2-0283-task.csv", "A,http://hl7.org/fhir/task-status,accepted",
     "A,http://hl7.org/fhir/task-status,rejected"),
    ("hl7v2_ref", "ref-i14.map.yaml", "{const: cancelled}", "{const: requested}"),
    ("fhir_r4", "r4-bundle.map.yaml", "[intent,       <-,  {const: order}]",
     "[intent,       <-,  {const: plan}]"),
    ("fhir_r4", "r4-bundle.map.yaml", "      - [focus,        <-,  {same: /ServiceRequest}]\n", ""),
    ("fhir_r4", "r4-bundle.map.yaml", "[restriction.period.end, <->,",
     "[restriction.period.end, ->,"),
]  # fmt: skip


@pytest.mark.parametrize(("pack", "file", "old", "new"), MUTANTS)
def test_a_bent_pack_fails_its_check_or_a_law(
    pack: str,
    file: str,
    old: str,
    new: str,
    copied: Callable[[str], Path],
    formats: Mapping[str, Format],
) -> None:
    root = copied(pack)
    bent(root, file, old, new)
    if check_pack(root, {}, formats):
        return
    packs = load_packs(formats, core=[root], compiled=False)
    assert any(each.failed for each in laws_of(packs, pack, cases=20, fail_fast=True))
