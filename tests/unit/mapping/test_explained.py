"""Every leaf that comes in is carried or lost, and every value that goes out comes from a row."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import orjson
import pytest

from adapter.mapping import Packs, convert
from adapter.mapping.convert import explain_tree
from adapter.mapping.explain import trace
from adapter.plugin.formats import Format

SHARED = Path(os.environ.get("ADAPTER_SHARED", Path(__file__).parents[4] / "shared"))


def test_parts_are_carried_or_lost_and_each_once(
    packs: Packs, formats: Mapping[str, Format], cases: Path
) -> None:
    for file in sorted(cases.glob("[!h]*.hl7")):
        tree = formats["hl7v2"].parse(file.read_bytes())
        found = explain_tree(tree, packs=packs, source="hl7v2", target="fhir")
        leaves = {leaf.path for leaf in formats["hl7v2"].leaves(tree)}
        mapped = {each.path for each in found.mapped}
        lost = {each.path for each in found.lost}
        assert found.parts == len(leaves)
        assert mapped | lost == leaves, file.name
        assert not mapped & lost, file.name
        assert len(lost) == len(found.lost)


def test_each_carried_leaf_names_its_row(
    packs: Packs, formats: Mapping[str, Format], cases: Path
) -> None:
    tree = formats["hl7v2"].parse((cases / "ref-i12-20-segments.hl7").read_bytes())
    found = explain_tree(tree, packs=packs, source="hl7v2", target="fhir")
    by_path = {each.path: each for each in found.mapped}
    family = by_path["PID[1]-5.1"]
    assert (family.to, family.value) == ("Patient[0].name[0].family", "Synthetic")
    line = Path(family.row.file).read_text().splitlines()[family.row.line - 1]
    assert line.strip().startswith("- [PID-5,")
    assert by_path["PID[1]-3[2].4"].to.startswith("Patient[0].identifier[1]")


def test_a_segment_that_no_row_knows_is_in_the_loss_report(
    packs: Packs, formats: Mapping[str, Format], cases: Path
) -> None:
    raw = (cases / "ref-i12-20-segments.hl7").read_bytes() + b"ZXV|a|b^c\r"
    tree = formats["hl7v2"].parse(raw)
    lost = {each.path: each for each in explain_tree(
        tree, packs=packs, source="hl7v2", target="fhir").lost}  # fmt: skip
    assert {"ZXV[1]-1", "ZXV[1]-2.1", "ZXV[1]-2.2"} <= lost.keys()
    assert lost["ZXV[1]-1"].raw == "a"
    assert "no row" in lost["ZXV[1]-1"].why


def test_a_part_that_a_codec_drops_is_lost_although_its_row_ran(
    packs: Packs, formats: Mapping[str, Format], cases: Path
) -> None:
    raw = (cases / "ref-i12-20-segments.hl7").read_bytes()
    tree = formats["hl7v2"].parse(raw.replace(b"^^Mrs^^L|", b"^^Mrs^PhD^L|"))
    mapping = packs.pick("hl7v2", tree)
    found = mapping.to_right(tree)
    assert "PID[1]-5.6" in {each.path for each in found.lost}
    assert "PID[1]-5.1" not in {each.path for each in found.lost}


def test_tracing_gives_what_mapping_gives_and_invents_nothing(
    packs: Packs, formats: Mapping[str, Format], cases: Path
) -> None:
    for file in sorted(cases.glob("[!h]*.hl7")):
        tree = formats["hl7v2"].parse(file.read_bytes())
        mapping = packs.pick("hl7v2", tree)
        traced = trace(mapping, tree)
        assert traced.result == mapping.to_right(tree).document
        assert traced.untraced == ()
        onward = packs.find("fhir", "Bundle")
        to_fhir = trace(onward, traced.result, to_right=False)
        assert to_fhir.result == onward.to_left(traced.result).document
        assert to_fhir.untraced == ()
        again = trace(onward, to_fhir.result)
        assert again.result == onward.to_right(to_fhir.result).document
        back = trace(mapping, traced.result, to_right=False)
        assert back.result.raws() == mapping.to_left(traced.result).document.raws()


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared samples are not at hand")
def test_sample_tasks_requests_and_answers_come_back_equal(
    packs: Packs, record_property: pytest.FixtureRequest
) -> None:
    kinds = ("Task", "ServiceRequest", "QuestionnaireResponse")
    files = [f for kind in kinds for f in sorted((SHARED / "samples/sdohcc").glob(f"{kind}-*"))]
    print(f"{len(files)} sample files read")
    assert len(files) >= 10
    for file in files:
        raw = file.read_bytes()
        back = convert(raw, packs=packs, source="fhir", target="fhir")
        assert orjson.loads(back) == orjson.loads(raw), file.name
