"""Each kind of fault is found with file, line and column, and says how to mend it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from adapter.mapping import PackError, Packs, load_packs
from adapter.mapping.check import check_pack
from adapter.mapping.table import Fault
from adapter.plugin.formats import Format

NAME = '  - ["Patient.name[0].family", <->, referral.subject.name.family]\n'
KIND = "  - [{const: request}, ->, kind]\n"
HEADER = "left_system,left_code,right_system,right_code,relationship,display_en,display_fr\n"


def faults(root: Path, packs: Packs, formats: Mapping[str, Format]) -> list[Fault]:
    return check_pack(root, packs.packs, formats)


FAULTS = [
    ("yaml", "  - [Patient.gender, <->]\n", 5),
    ("yaml", '  - [Patient.name[0].family, <->, kind]\n', 18),
    ("yaml", "  - [Patient.gender, <->, referral.subject.gender, {[a]: b}]\n", 53),
    ("arrow", "  - [Patient.gender, =>, referral.subject.gender]\n", 22),
    ("unknown-path", "  - [Patient.gander, <->, referral.subject.gender]\n", 6),
    ("unknown-path", "  - [Patient.gender, <->, referral.subject.gander]\n", 27),
    ("unknown-path", '  - ["Patient.name[0].familie", <->, referral.subject.name.family]\n', 7),
    ("unknown-path", "  - [Patiens.gender, <->, referral.subject.gender]\n", 6),
    ("list-needs-index", "  - [Patient.name.family, <->, referral.subject.name.family]\n", 6),
    ("list-needs-index", '  - ["Patient.gender[0]", <->, referral.subject.gender]\n', 7),
    ("list-needs-index", "  - [Patient.gender, <->, referral.interests]\n", 27),
    ("codec-unknown", "  - [Patient.gender, <->, referral.subject.gender, upper]\n", 52),
    ("codec-type", "  - [Patient.birthDate, <->, referral.subject.birth_date, address]\n", 59),
    ("codec-type", "  - [Patient.active, <->, referral.subject.gender, boolean]\n", 52),
    ("codec-type", "  - [Patient.gender, <->, referral.subject.gender, text(work)]\n", 52),
    ("codes-unknown", "  - [Patient.gender, <->, referral.subject.gender, code(none)]\n", 52),
    ("const-value", "  - [Patient.gender, <-, {const: banana}]\n", 26),
    ("two-writers", NAME + NAME, 5),
    ("two-writers", NAME + '  - ["Patient.name[0]", <->, referral.subject.name, name]\n', 5),
    ("two-writers", NAME + NAME.replace("]\n", ", fallback: true]\n"), 5),
    ("unreachable", "  - [{const: female}, ->, referral.subject.gender]\n"
     "  - [Patient.gender, ->, referral.subject.gender, fallback: true, loses: x]\n", 5),
    ("unreachable", "  - with: [Patient, ->, referral.subject]\n    loses: x\n    rows:\n"
     "      - [gender, <-, gender, loses: x]\n", 9),
    ("loss-unsaid", "  - [Patient.gender, ->, referral.subject.gender]\n", 5),
    ("loss-unsaid", '  - ["Patient.deceasedDateTime", <->, referral.subject.deceased, date]\n', 66),
    ("missing-required", NAME + '  - ["Patient.link[0].type", <-, {const: seealso}]\n', 6),
]  # fmt: skip


@pytest.mark.parametrize(("code", "rows", "column"), FAULTS)
def test_a_fault_has_its_place_its_word_and_its_fix(
    code: str,
    rows: str,
    column: int,
    written: Callable[..., Path],
    packs: Packs,
    formats: Mapping[str, Format],
) -> None:
    found = [each for each in faults(written(rows + KIND), packs, formats) if each.code == code]
    assert found, f"no {code}"
    assert found[0].where.file.endswith("one.map.yaml")
    assert 1 <= found[0].where.line <= 4 + rows.count("\n")
    assert found[0].where.column == column
    assert found[0].fix
    assert found[0].message


def test_a_good_table_has_no_fault(
    written: Callable[..., Path], packs: Packs, formats: Mapping[str, Format]
) -> None:
    assert faults(written(NAME + KIND), packs, formats) == []


@pytest.mark.parametrize("name", ["hl7v2_ref", "fhir_r4"])
def test_the_shipped_packs_have_no_fault(
    name: str, packs: Packs, formats: Mapping[str, Format]
) -> None:
    assert check_pack(packs.packs[name].root, packs.packs, formats) == []


def test_a_table_of_many_to_one_codes_names_its_way_back(
    written: Callable[..., Path], packs: Packs, formats: Mapping[str, Format]
) -> None:
    row = "  - [Patient.gender, <->, referral.subject.gender, code(sex)]\n"
    two = "a,{},b,other,{},,\n"
    ambiguous = HEADER + two.format("x", "wider") + two.format("y", "wider")
    found = faults(written(row + KIND, sex=ambiguous), packs, formats)
    assert [(each.code, each.where.line) for each in found] == [("codes-ambiguous", 3)]
    named = HEADER + two.format("x", "wider") + two.format("y", "equivalent")
    assert faults(written(row + KIND, sex=named), packs, formats) == []


@pytest.mark.parametrize(
    ("system", "code", "good"),
    [
        ("http://snomed.info/sct", "73595000", True),
        ("http://snomed.info/sct", "Z73.3", False),
        ("http://snomed.info/sct", "7.3595E+07", False),
        ("http://hl7.org/fhir/sid/icd-10", "Z73.3", True),
        ("http://hl7.org/fhir/sid/icd-10", "Z55-Z65", True),
        ("http://hl7.org/fhir/sid/icd-10-cm", "Z59.811", True),
        ("http://hl7.org/fhir/sid/icd-10-cm", "73595000", False),
        ("http://loinc.org", "93159-5", True),
        ("http://loinc.org", "LA6729-3", True),
        ("http://loinc.org", "Z73.3", False),
        ("https://clinic.example/needs", "Z73.3!", True),
    ],
)
@pytest.mark.parametrize("line", ["a,b,{},{},equivalent,,\n", "{},{},a,b,equivalent,,\n"])
def test_a_code_in_the_row_of_another_system_is_a_fault(
    system: str, code: str, good: bool, line: str, written: Callable[..., Path],
    packs: Packs, formats: Mapping[str, Format],
) -> None:  # fmt: skip
    row = "  - [Patient.gender, <->, referral.subject.gender, code(sex)]\n"
    found = faults(written(row + KIND, sex=HEADER + line.format(system, code)), packs, formats)
    assert [each.code for each in found] == ([] if good else ["codes-form"])
    assert code not in "".join(each.message for each in found)


def test_inheriting_from_nothing_or_dropping_nothing_is_a_fault(
    copied: Callable[[str], Path], packs: Packs, formats: Mapping[str, Format]
) -> None:
    root = copied("hl7v2_ref")
    file = root / "ref-i14.map.yaml"
    file.write_text(file.read_text().replace("extends: ref-i12", "extends: ref-i99"))
    assert [each.code for each in faults(root, packs, formats)] == ["extends-unknown"]
    other = root / "ref-oscar-esend.map.yaml"
    file.write_text(file.read_text().replace("extends: ref-i99", "extends: ref-i12"))
    other.write_text(other.read_text().replace('"referral.notes"', '"referral.nothing"'))
    assert [each.code for each in faults(root, packs, formats)] == ["override-unmatched"]


def test_hl7v2_paths_are_checked_by_version(
    written: Callable[..., Path], packs: Packs, formats: Mapping[str, Format]
) -> None:
    rows = "  - [RF1-12, ->, referral.reason, loses: x]\n" + KIND
    left = 'format: hl7v2, message: "REF^I12", structure: REF_I12, version: "{}"'
    old = faults(written(rows, left=left.format("2.5.1")), packs, formats)
    assert [(each.code, each.where.line, each.where.column) for each in old] == [
        ("unknown-path", 5, 6)
    ]
    new = faults(written(rows, left=left.format("2.8")), packs, formats)
    assert new == []


@pytest.mark.parametrize("path", ["XYZ-1", "PID-99", "PID-5.99", "PV3-1", "MSH-9.9"])
def test_a_segment_field_or_component_that_does_not_exist_is_found(
    path: str, written: Callable[..., Path], packs: Packs, formats: Mapping[str, Format]
) -> None:
    left = 'format: hl7v2, message: "REF^I12", structure: REF_I12, version: "2.5.1"'
    rows = f"  - [{path}, ->, referral.reason, loses: x]\n" + KIND
    codes = [each.code for each in faults(written(rows, left=left), packs, formats)]
    assert codes == ["unknown-path"]


def test_a_pack_with_a_fault_is_refused_at_load_with_its_place(
    written: Callable[..., Path], formats: Mapping[str, Format]
) -> None:
    root = written("  - [Patient.gender, =>, referral.subject.gender]\n")
    with pytest.raises(PackError) as caught:
        load_packs(formats, core=[root])
    assert "one.map.yaml:5:22" in caught.value.message
