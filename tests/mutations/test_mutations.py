"""A bend of a mapping row does not go unnoticed: a sample of what `make mutations` tries."""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from mutant_trial import SURVIVED, Trial, equivalents
from row_mutants import KINDS, Mutant, mutants

from adapter.mapping.domain import read_domain
from adapter.mapping.packs import core_packs, read_pack

PACKS = {Path(str(root)).name: Path(str(root)) for root in core_packs()}
SAMPLE = 3
"""Mutants of each pack; the suite tries others when a pack changes."""


def sample(pack: str) -> list[Mutant]:
    return Random(20261122).sample(list(mutants(PACKS[pack])), SAMPLE)


@pytest.mark.parametrize("pack", sorted(PACKS))
def test_a_sample_of_mutants_is_noticed(pack: str, tmp_path: Path) -> None:
    trial = Trial(pack, tmp_path, cases=60)
    excused = equivalents()
    survivors = [
        str(each)
        for each in sample(pack)
        if (f"{pack}/{each.file}", each.was, each.now) not in excused
        and trial.verdict(each) == SURVIVED
    ]
    assert survivors == []


def test_a_trial_leaves_the_pack_as_it_was(tmp_path: Path) -> None:
    before = {each: each.read_bytes() for each in PACKS["sdohcc"].rglob("*") if each.is_file()}
    trial = Trial("sdohcc", tmp_path, cases=2)
    mutant = next(each for each in mutants(PACKS["sdohcc"]) if each.kind == "code")
    assert trial.verdict(mutant) != SURVIVED
    assert (tmp_path / "sdohcc" / mutant.file).read_bytes() == (
        PACKS["sdohcc"] / mutant.file
    ).read_bytes()
    assert before == {each: each.read_bytes() for each in before}


@pytest.mark.parametrize("pack", sorted(PACKS))
def test_every_row_block_and_code_has_its_mutants(pack: str) -> None:
    found = list(mutants(PACKS[pack]))
    dropped = {(each.file, each.line) for each in found if each.kind == "drop"}
    rows = {
        (file.name, number)
        for file in PACKS[pack].glob("*.map.yaml")
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1)
        if line.lstrip().startswith(("- [", "- each:", "- with:", "- use:"))
    }
    assert rows <= dropped
    assert {each.kind for each in found} <= set(KINDS)
    assert len({(each.file, each.text) for each in found}) >= len(found) * 0.95
    turned = {(each.file, each.line) for each in found if each.kind == "arrow"}
    assert len(turned) > len(rows) * 0.8


def test_what_is_excused_is_still_there_and_says_why() -> None:
    known = {
        (f"{pack}/{each.file}", each.was, each.now)
        for pack, root in PACKS.items()
        for each in mutants(root)
    }
    assert set(equivalents()) <= known
    assert all(len(reason) > 20 for reason in equivalents().values())


BENDS = [
    ("codes/v2-0280.csv", "drop", "urgent"),  # a row without a left code
    ("codes/v2-0280.csv", "system", "urgent"),  # the code stays, and belongs to another system
    ("codes/v2-0283-answer.csv", "code", "received"),  # only the words of two rows move
    ("ref-i12.map.yaml", "codec", "code(share-back)"),  # every code is the same on both sides
    ("ref-i12.map.yaml", "arrow", "that RF1-9 was empty"),  # a row that stands in for another
    ("ref-i14.map.yaml", "codec", "status_reason"),  # text where there are lines
]


@pytest.mark.parametrize(("file", "kind", "row"), BENDS)
def test_what_only_words_or_order_would_show_is_noticed(
    file: str, kind: str, row: str, tmp_path: Path
) -> None:
    trial = Trial("hl7v2_ref", tmp_path, cases=6)
    bent = [
        each
        for each in mutants(PACKS["hl7v2_ref"])
        if (each.file, each.kind) == (file, kind) and row in each.was
    ]
    assert bent
    assert [str(each) for each in bent if trial.verdict(each) == SURVIVED] == []


@pytest.mark.parametrize("pack", sorted(PACKS))
def test_the_words_and_the_systems_of_every_code_table_are_stated(pack: str) -> None:
    found = read_pack(PACKS[pack])
    domain = read_domain(found)
    assert set(domain.meanings) == set(domain.systems) == set(found.codes)


def test_rows_in_another_order_are_no_mutant() -> None:
    alike = [
        each
        for each in mutants(PACKS["hl7v2_ref"])
        if each.kind == "code"
        and sorted(each.text.splitlines())
        == sorted((PACKS["hl7v2_ref"] / each.file).read_text("utf-8").splitlines())
    ]
    assert alike == []
