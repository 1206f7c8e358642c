"""Whatever comes in, a map gives a document or says what is wrong; it never fails otherwise."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest

from adapter.mapping import Packs, convert
from adapter.mapping.convert import explain_tree
from adapter.mapping.errors import MappingError
from adapter.plugin.errors import DataError
from adapter.plugin.formats import Format

NASTY = (
    "", '""', "^", "^^^^^", "~~", "&", "\\", "\\X\\", "|", "a" * 300, "^&^~&", "20261345", "²", "٣",
    "\x00", "-1", "NaN", "1e999", "..", "urn:uuid:",
)  # fmt: skip
WRONG: tuple[Any, ...] = (None, True, 0, 1.5, "", "x", [], {}, [[]], [None], {"a": 1}, "2026-13-45")


def bent_message(raw: bytes, random: Random) -> bytes:
    lines = raw.decode().rstrip("\r").split("\r")
    for _ in range(random.randint(1, 3)):
        number = random.randrange(len(lines))
        fields = lines[number].split("|")
        place = random.randrange(2 if number == 0 else 1, len(fields))
        choice = random.random()
        if choice < 0.6:
            fields[place] = random.choice(NASTY)
        elif choice < 0.8:
            fields[place] += "~" + random.choice(NASTY)
        else:
            parts = fields[place].split("^")
            parts[random.randrange(len(parts))] = random.choice(NASTY)
            fields[place] = "^".join(parts)
        lines[number] = "|".join(fields)
    return "\r".join(lines).encode()


def bent_json(value: Any, random: Random) -> Any:
    if random.random() < 0.02:
        return random.choice(WRONG)
    if isinstance(value, dict):
        return {k: bent_json(v, random) for k, v in value.items() if random.random() > 0.01}
    return [bent_json(each, random) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("seed", range(4))
def test_a_bent_message_is_mapped_or_refused(packs: Packs, cases: Path, seed: int) -> None:
    random = Random(seed)
    files = [file.read_bytes() for file in sorted(cases.glob("[!h]*.hl7"))]
    said: list[str] = []
    for _ in range(150):
        try:
            convert(bent_message(random.choice(files), random), packs=packs)
        except DataError as error:
            said.append(error.message)
    assert 0 < len(said) < 150
    assert [each for each in said if "a" * 50 in each] == []


def test_a_bent_message_is_still_accounted_for_leaf_by_leaf(
    packs: Packs, formats: Mapping[str, Format], cases: Path
) -> None:
    random = Random(7)
    raw = (cases / "ref-i12-20-segments.hl7").read_bytes()
    explained = 0
    for _ in range(40):
        try:
            tree = formats["hl7v2"].parse(bent_message(raw, random))
            found = explain_tree(tree, packs=packs, source="hl7v2", target="fhir")
        except DataError:
            continue
        explained += 1
        assert found.parts == len({each.where for each in found.mapped}) + len(found.lost)
    assert explained >= 10


@pytest.mark.parametrize("seed", range(3))
def test_a_bent_bundle_is_mapped_or_refused(packs: Packs, seed: int) -> None:
    random = Random(seed)
    folder = Path(str(packs.packs["fhir_r4"].root)) / "cases"
    trees = [json.loads(file.read_bytes()) for file in sorted(folder.glob("*.json"))]
    done = 0
    codes: set[str] = set()
    for _ in range(60):
        raw = json.dumps(bent_json(random.choice(trees), random)).encode()
        for target in ("referral", "hl7v2", "fhir"):
            try:
                convert(raw, packs=packs, source="fhir", target=target)
                done += 1
            except DataError as error:
                codes.add(error.code)
    assert done > 20
    assert codes <= {"mapping.value", "mapping.no-map", "mapping.unreadable"}


def _holes(value: Any) -> bool:
    """Whether a null, an empty text or nothing at all stands anywhere in a JSON value."""
    if isinstance(value, dict | list):
        return not value or any(map(_holes, value.values() if isinstance(value, dict) else value))
    return value in (None, "")


@pytest.mark.parametrize("nothing", ['""', "\\H\\", "&x", '""&x'])
def test_a_component_that_says_nothing_leaves_no_hole_in_the_document(
    packs: Packs, formats: Mapping[str, Format], cases: Path, nothing: str
) -> None:
    raw = (cases / "ref-i12-20-segments.hl7").read_bytes().decode()
    texts = raw.replace("|OAKEMR|", f"|{nothing}^x|").replace(
        "RP^Referring provider", f"RP^{nothing}"
    )
    assert texts.count(nothing) == 2
    tree = formats["hl7v2"].parse(texts.encode())
    document = packs.pick("hl7v2", tree).to_right(tree).document
    assert not _holes(document)
    assert "role_text" not in document["referral"]["requester"]


def test_a_fault_names_the_row_and_not_where_our_disk_has_it() -> None:
    fault = MappingError("it is too long", path="RF1-6", file="/srv/packs/clinic/ref.yaml", line=7)
    assert fault.message == "clinic/ref.yaml:7: RF1-6: it is too long"
