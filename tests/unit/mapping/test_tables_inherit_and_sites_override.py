from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import orjson
import pytest

from adapter.mapping import NoMapError, Packs, convert, load_packs
from adapter.mapping.export import concept_map, exported, translate
from adapter.mapping.laws import laws_of
from adapter.mapping.packs import core_packs
from adapter.plugin.formats import Format


def test_a_site_folder_replaces_the_installed_pack_of_its_name(
    copied: Callable[[str], Path], formats: Mapping[str, Format], cases: Path
) -> None:
    root = copied("hl7v2_ref")
    table = root / "codes" / "v2-0280.csv"
    table.write_text(table.read_text().replace(",R,http", ",N,http"))
    fhir = [each for each in core_packs() if each.name == "fhir_r4"]
    packs = load_packs(formats, overrides=[root], core=fhir)
    raw = (cases / "ref-i12-20-segments.hl7").read_bytes().replace(b"RF1|P|R|", b"RF1|P|N|")
    document = orjson.loads(convert(raw, packs=packs, target="referral"))
    assert document["referral"]["priority"] == "routine"


def test_a_row_of_the_child_replaces_the_inherited_row_at_its_place(packs: Packs) -> None:
    parent = packs.find("hl7v2", "REF^I12")
    child = packs.find("hl7v2", "REF^I14")
    assert "RF1-1" in parent.right_source.text or parent.right_source.text
    statuses = [
        row for row in child.table.rows if getattr(row.right, "text", "") == "referral.status"
    ]
    assert len(statuses) == 1
    assert getattr(statuses[0].left, "value", None) == "revoked"


def test_a_dialect_is_taken_when_asked_for_and_the_general_map_otherwise(packs: Packs) -> None:
    assert packs.find("hl7v2", "REF^I12").name == "ref-i12"
    assert packs.find("hl7v2", "REF^I12", dialect="oscar-esend").name == "ref-oscar-esend"
    assert packs.find("hl7v2", "REF^I12", dialect="unheard-of").name == "ref-i12"
    with pytest.raises(NoMapError):
        packs.find("hl7v2", "ZZZ^Z99")


def test_a_code_table_is_a_concept_map_in_each_direction(packs: Packs) -> None:
    table = packs.packs["hl7v2_ref"].codes["v2-0001"]
    right = concept_map(table)
    left = concept_map(table, to_right=False)
    codes = {each["code"]: each["target"][0]["code"] for each in right["group"][0]["element"]}
    assert codes == dict(table.to_right)
    assert codes["A"] == "other"
    back = {each["code"]: each["target"][0]["code"] for each in left["group"][0]["element"]}
    assert back["other"] == "O"
    assert translate(table, "F") == "female"
    assert translate(table, "female", to_right=False) == "F"
    assert translate(table, "nobody") is None


def test_every_map_is_exported_once_for_each_direction(packs: Packs) -> None:
    files = dict(exported(packs, "hl7v2_ref"))
    maps = [each for each in packs.maps if each.pack == "hl7v2_ref"]
    assert sum(name.endswith(".map") for name in files) == 2 * len(maps)
    text = files["ref-i12-to-referral.map"]
    assert text.startswith('map "https://')
    assert "translate(v" in text
    assert text.count("{") == text.count("}")
    codes = packs.packs["hl7v2_ref"].codes
    assert sum(name.endswith(".json") for name in files) == 2 * len(codes)


def test_a_map_without_a_domain_is_held_to_that_of_the_map_that_it_extends(
    tmp_path: Path, formats: Mapping[str, Format]
) -> None:
    root = tmp_path / "site"
    root.mkdir()
    (root / "pack.toml").write_text('[pack]\nname = "site"\nextends = "hl7v2_ref"\n')
    file = root / "site.map.yaml"
    head = 'map: site-i12\nextends: hl7v2_ref/ref-i12\nleft: {message: "REF^I12"}\n'
    file.write_text(head + "rows: []\n")

    def failed() -> list[tuple[str, int]]:
        packs = load_packs(formats, overrides=[root])
        return [(each.law, each.failed) for each in laws_of(packs, "site", cases=20)]

    assert ("there-and-back", 0) in failed()
    file.write_text(head + "drop: [referral.priority]\nrows: []\n")
    assert any(law == "there-and-back" and count for law, count in failed())
