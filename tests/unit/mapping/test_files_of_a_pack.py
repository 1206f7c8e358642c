"""Whatever stands in a file of a pack: a fault with its place, never a failure of the program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from adapter.mapping import Packs
from adapter.mapping.check import check_pack
from adapter.mapping.laws import laws_of
from adapter.mapping.packs import load_packs
from adapter.plugin.formats import Format

ROWS = (
    '  - ["Patient.name[0].family", <->, referral.subject.name.family]\n'
    "  - [Patient.gender, <->, referral.subject.gender, code(sex)]\n"
    "  - [{const: request}, ->, kind]\n"
)
SEX = (
    "left_system,left_code,right_system,right_code,relationship,display_en,display_fr\n"
    "a,f,b,female,equivalent,,\n"
)
HEAD = "map: one\nleft: {format: fhir, message: Patient}\nright: {format: referral}\n"
DOMAIN = "maps:\n  one:\n    carries:\n      referral!: {subject!: {gender: [female]}}\n"
V2 = (
    'map: one\nleft: {format: hl7v2, message: "REF^I12", %s}\nright: {format: referral}\nrows: []\n'
)

FILES: list[tuple[str, bytes, str, int, int]] = [
    ("one.map.yaml", HEAD.encode() + b"# caf\xe9\n", "not-utf-8", 4, 6),
    ("codes/sex.csv", SEX.encode() + b"a,m,b,\xff,equivalent,,\n", "not-utf-8", 3, 7),
    ("one.map.yaml", b"", "yaml", 1, 1),
    ("one.map.yaml", b"# nothing yet\n", "yaml", 1, 1),
    ("one.map.yaml", b"map: one\nleft: \x01\n", "yaml", 2, 7),
    ("one.map.yaml", b"map: " + b"[" * 100_000, "yaml", 1, 1),
    ("one.map.yaml", b"map: one\nrows:\n" + b" " * 5_000 + b"- x\n", "yaml", 3, 1),
    ("one.map.yaml", b"map: one\nleft: &l {a: *l}\n", "yaml", 2, 7),
    ("one.map.yaml", HEAD.encode() + b"rows: &r\n  - each: [a, <->, b]\n    rows: *r\n",
     "yaml", 4, 7),
    (
        "one.map.yaml",
        b"a: &a [x, x, x, x, x, x, x, x, x, x]\n"
        + b"".join(b"b: &%c [%s]\n" % (n + 1, b", ".join([b"*%c" % n] * 10)) for n in b"abcdef"),
        "yaml", 6, 4,
    ),
    ("one.map.yaml", (V2 % 'version: "9.9"').encode(), "version-unknown", 2, 7),
    ("one.map.yaml", (V2 % 'version: "2.9-2.3"').encode(), "version-unknown", 2, 7),
    ("one.map.yaml", (V2 % "structure: REF_I99").encode(), "structure-unknown", 2, 7),
    ("one.map.yaml", (V2 % "groups: 3").encode(), "yaml", 2, 7),
    ("one.map.yaml", HEAD.replace("Patient", 'Patient, version: "5.0.0"').encode() + b"rows: []\n",
     "version-unknown", 2, 7),
    ("two.map.yaml", (HEAD + "rows:\n" + ROWS).encode(), "map-twice", 1, 6),
    ("codes/sex.csv", SEX.encode() + b"\na,m\n", "codes-columns", 4, 1),
    ("codes/sex.csv", SEX.encode() + b"a,m,b,male,equivalent,,,more\n", "codes-columns", 3, 1),
    ("codes/sex.csv", SEX.encode() + b"a,,b,,equivalent,,\n", "codes-columns", 3, 1),
    ("codes/sex.csv", SEX.encode() + b'a,m,b,"male\n', "codes-columns", 3, 1),
    ("pack.toml", b"pack = 3\n", "pack", 1, 1),
    ("pack.toml", b"[pack]\nname = 3\n", "pack", 2, 1),
    ("pack.toml", b"[pack]\nname = \n", "pack", 2, 8),
    ("pack.toml", b'[pack]\nformats = "fhir", 3\n', "pack", 2, 17),
    ("pack.toml", b'[pack]\nname = "small"\nextends = ["nobody"]\n', "extends-unknown", 3, 1),
    ("pack.toml", b'[pack]\nname = "small"\nextends = "small"\n', "extends-unknown", 3, 1),
    ("domain.yaml", b"maps: [\n", "yaml", 2, 1),
    ("domain.yaml", b"maps: 3\n", "yaml", 1, 1),
    ("domain.yaml", DOMAIN.replace("one:", "won:").encode(), "domain", 2, 3),
    ("domain.yaml", DOMAIN.replace("gender", "gander").encode(), "domain", 4, 30),
    ("domain.yaml", DOMAIN.replace("[female]", "femail").encode(), "domain", 4, 38),
    ("domain.yaml", DOMAIN.replace("carries", "caries").encode(), "domain", 3, 5),
]  # fmt: skip


@pytest.mark.parametrize(("file", "content", "code", "line", "column"), FILES)
def test_a_file_that_cannot_be_used_is_a_fault_with_its_place(
    file: str,
    content: bytes,
    code: str,
    line: int,
    column: int,
    written: Callable[..., Path],
    packs: Packs,
    formats: Mapping[str, Format],
) -> None:
    root = written(ROWS, sex=SEX)
    assert check_pack(root, packs.packs, formats) == []
    (root / file).write_bytes(content)
    found = check_pack(root, packs.packs, formats)
    assert (code, line) in [(each.code, each.where.line) for each in found]
    first = next(each for each in found if each.code == code)
    assert first.where.file.endswith(file) or code == "map-twice"
    assert first.where.column == column
    assert first.message
    assert first.fix


def test_a_domain_that_merges_parts_is_checked_whole(
    written: Callable[..., Path], packs: Packs, formats: Mapping[str, Format]
) -> None:
    root = written(ROWS, sex=SEX)
    parts = "parts: {p: &p {gender: text}, q: &q {birthday: date}}\n"
    text = DOMAIN.replace("gender: [female]", "<<: [*p, *q]")
    (root / "domain.yaml").write_text(parts + text)
    found = check_pack(root, packs.packs, formats)
    assert [(each.code, each.where.line, each.where.column) for each in found] == [
        ("domain", 1, 38)
    ]
    assert "birthday" in found[0].message


def test_a_case_that_cannot_be_read_fails_its_law_and_not_the_others(
    copied: Callable[[str], Path], formats: Mapping[str, Format]
) -> None:
    root = copied("hl7v2_ref")
    (root / "cases" / "torn.hl7").write_bytes(b"garbage")
    (root / "cases" / "rri-i12@torn.referral.json").write_bytes(b"garbage")
    results = list(laws_of(load_packs(formats, overrides=[root]), "hl7v2_ref", cases=1))
    failed = {each.map: each.first_failure or "" for each in results if each.failed}
    assert set(failed) == {"", "rri-i12"}
    assert failed[""].startswith("torn.hl7: ")
    assert failed["rri-i12"] == "rri-i12@torn.referral.json: this is no JSON"
    assert any(each.law == "there-and-back" and each.cases for each in results)


def test_a_message_that_is_taken_although_it_must_be_refused_fails_its_law(
    copied: Callable[[str], Path], formats: Mapping[str, Format]
) -> None:
    root = copied("hl7v2_ref")
    (root / "cases" / "refused").mkdir()
    raw = (root / "cases" / "ref-i13.hl7").read_bytes()
    (root / "cases" / "refused" / "good.hl7").write_bytes(raw)
    bad = raw.replace(b"RF1|", b"RF1|Q", 1)
    (root / "cases" / "refused" / "no-such-status.hl7").write_bytes(bad)
    results = list(laws_of(load_packs(formats, overrides=[root]), "hl7v2_ref", cases=1))
    (found,) = [each for each in results if each.law == "refused"]
    assert (found.map, found.cases, found.failed) == ("ref-i12", 2, 1)
    assert found.first_failure == "good.hl7: it is taken"
