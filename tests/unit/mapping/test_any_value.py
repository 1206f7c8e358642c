"""Whatever stands in a field, and whatever happened to a message's bytes: a value that is right, a
refusal, or a loss that is reported. Never a wrong value, never another error."""
# ruff: noqa: SIM905 - words are easier to read

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib import resources
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from adapter.cli.conversion import Conversion
from adapter.cli.formats import installed_formats
from adapter.mapping.bound import BoundRow
from adapter.mapping.convert import explain_tree
from adapter.mapping.packs import Packs, load_packs
from adapter.plugin.errors import DataError
from adapter.plugin.formats import Codec, DomainError, Settings, refuse_faulty
from adapter.referral.document import from_document
from adapter.referral.model import ReferralEvent

SETTINGS = Settings(site="clinic", timezone="America/Toronto")
SHAPE = (AttributeError, TypeError, KeyError, IndexError, ValueError, OverflowError)
"""What a codec may raise for JSON of another shape: `Map.run` refuses the message for it."""
CASES = Path(str(resources.files("adapter_mappings")))
FORMATS = {".hl7": "hl7v2", ".json": "fhir", ".csv": "csv"}


@cache
def the_packs() -> Packs:
    return load_packs(installed_formats(), compiled=False)


@cache
def codecs(left: str) -> dict[str, Codec]:
    """Every codec that a row of a shipped pack uses, by its text, for one format."""
    found: dict[str, Codec] = {}
    for mapping in the_packs().maps:
        if mapping.left_format.name == left:
            for entry in mapping.bound.by_number.values():
                if isinstance(entry, BoundRow):
                    found[entry.source.codec or "text"] = entry.codec
    return found


def environments(left: str) -> tuple[Any, Any]:
    format_ = the_packs().formats[left]
    raw = b"MSH|^~\\&|A|B|C|D|20260101||REF^I12|1|P|2.5.1\r"
    trees = {"hl7v2": raw, "fhir": b'{"resourceType":"Bundle","type":"collection"}', "csv": b""}
    tree = format_.parse(trees[left]) if trees[left] else {}
    return format_.reading(tree, SETTINGS), format_.writing({}, SETTINGS, "")


PIECES = st.sampled_from(
    [
        *"""
    ^ ~ & | 2026 0229 12 -0500 + - . 1e9 Y N F JHN SCT LN é 漢 ² T : PRN PH Internet Base64
    QQ== = TEXT text https://x.example/y urn:oid:
    """.split(),
        "\\",
        "\\.br\\",
        "\\X41\\",
        "\\X0D\\",
        "\\T\\",
        "\\C2842\\",
        '""',
        " ",
    ]
)
V2 = st.lists(PIECES | st.text(max_size=5), max_size=9).map("".join)
NAMES = st.sampled_from(
    """
    system code display coding text value unit use family given line city start end reference
    type url valueString linkId item answer contentType data title extension period assigner
    _given id
    """.split()
)
WORDS = st.sampled_from(
    [
        *"""
    a 2026-02-30 2026-01-01 2026-01-01T10:00:00Z phone official home 1.50
    http://snomed.info/sct urn:uuid:x QQ== text/plain #a NaN <b>x</b>
    """.split(),
        "",
        "a\nb",
    ]
)
JSON = st.recursive(
    WORDS | st.none() | st.booleans() | st.integers(-9, 9) | st.just(1.5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=10,
)


def holds(codec: Codec, value: Any, left: str, allowed: tuple[type[Exception], ...]) -> bool:
    """Whether the codec took the value; what it took, it gives back and takes again the same."""
    reading, writing = environments(left)
    try:
        read = codec.read(value, reading)
    except allowed:
        return False
    if read is None:
        return False
    try:
        written = codec.write(read, writing)
    except allowed:
        return True
    if written is None:
        return True
    assert codec.read(written, environments(left)[0]) == read
    return True


@pytest.mark.parametrize("text", sorted(codecs("hl7v2")))
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(raw=V2)
@example(raw="\\H\\\\N\\")
def test_a_v2_value_is_read_right_or_refused(text: str, raw: str) -> None:
    holds(codecs("hl7v2")[text], raw, "hl7v2", (DomainError,))


@pytest.mark.parametrize("text", sorted(codecs("csv")))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(raw=V2 | WORDS)
@example(raw="a\r\nb\rc")
def test_a_cell_is_read_right_or_refused(text: str, raw: str) -> None:
    codec = codecs("csv")[text]
    holds(codec, [raw] if codec.many else raw, "csv", (DomainError, *SHAPE))


@pytest.mark.parametrize("text", sorted(codecs("fhir")))
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=JSON)
def test_a_json_value_is_read_right_or_refused(text: str, value: Any) -> None:
    holds(codecs("fhir")[text], value, "fhir", (DomainError, *SHAPE))


def files() -> Iterator[Path]:
    for each in sorted(CASES.glob("*/cases/*")):
        if each.suffix in FORMATS and each.stat().st_size < 20_000:
            yield each


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    """The bytes of a case with a few of them changed, taken out, doubled or put in."""
    file = draw(st.sampled_from(list(files())))
    data = bytearray(file.read_bytes())
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(data)))
        kind = draw(st.sampled_from(["put", "cut", "double", "change"]))
        if kind == "put":
            data[place:place] = draw(st.binary(min_size=1, max_size=4) | V2.map(str.encode))
        elif kind == "cut":
            del data[place : place + draw(st.integers(1, 40))]
        elif kind == "double":
            data[place:place] = data[place : place + draw(st.integers(1, 400))]
        elif place < len(data):
            data[place] = draw(st.sampled_from(b'|^~&\\\r\n"{}[],:0Z\xff\x00'))
    return FORMATS[file.suffix], bytes(data)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(damaged(), st.sampled_from(["fhir", "hl7v2", "csv", "referral"]))
def test_a_damaged_message_is_converted_or_refused_and_accounted_for(
    message: tuple[str, bytes], target: str
) -> None:
    source, data = message
    packs = the_packs()
    work = Conversion(packs, packs.formats[source], packs.formats[target], SETTINGS, None)
    for part in packs.formats[source].split(data):
        output, good, tree = work.one(part)
        assert output
        if not good:
            continue
        try:
            found = explain_tree(tree, packs=packs, source=source, target=target, settings=SETTINGS)
        except DataError:
            pytest.fail("what is converted can be explained")
        assert found.parts == len({each.where for each in found.mapped}) + len(found.lost)


SHAPES: tuple[Any, ...] = ({"a": "b"}, [["a"]], True, 7)
stem = attrgetter("stem")


def spots(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every value of a tree, objects and lists among them, as what holds it and its key there."""
    for key, each in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(each, dict | list):
            yield from spots(each)


@pytest.mark.parametrize("file", sorted(CASES.glob("fhir_r4/cases/single-*.json")), ids=stem)
def test_a_value_of_another_shape_is_refused_or_left_out_wherever_it_stands(file: Path) -> None:
    tree = the_packs().formats["fhir"].parse(file.read_bytes())
    mapping = the_packs().pick("fhir", tree, "referral", None)
    refused = 0
    for holder, key in list(spots(tree)):
        right = holder[key]
        for wrong in SHAPES:
            holder[key] = wrong
            try:
                document = mapping.to_right(tree, SETTINGS).document
            except DataError:
                refused += 1
                continue
            from_document(ReferralEvent, document)
        holder[key] = right
    assert refused > 10


PATIENT = {"resourceType": "Patient", "address": [{"line": ["1 Rue A"]}]}


@pytest.mark.parametrize("target", ["referral", "hl7v2", "fhir"])
@pytest.mark.parametrize("part", [["a"], {"a": "b"}, True])
def test_a_list_within_a_name_never_leaves(target: str, part: Any) -> None:
    packs = the_packs()
    work = Conversion(packs, packs.formats["fhir"], packs.formats[target], SETTINGS, None)
    patient = {**PATIENT, "name": [{"family": "Synthetic", "given": [part]}]}
    output, good, _ = work.one(json.dumps(patient).encode())
    assert not good
    assert json.loads(output)["resourceType"] == "OperationOutcome"


def test_a_null_that_keeps_the_place_of_an_extension_is_no_given_name() -> None:
    packs = the_packs()
    work = Conversion(packs, packs.formats["fhir"], packs.formats["referral"], SETTINGS, None)
    why = {"url": "https://clinic.example/masked", "valueString": "masked"}
    name = {"given": [None, "Ada"], "_given": [{"extension": [why]}, None]}
    output, good, tree = work.one(json.dumps({**PATIENT, "name": [name]}).encode())
    assert good
    assert json.loads(output)["referral"]["subject"]["name"] == {"given": ["Ada"]}
    assert [each["raw"] for each in work.losses("-", tree)][-1] == "masked"


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"kind": "note", "referral": {"reason": ["a"]}}, "referral.reason"),
        ({"kind": "note", "reason": "a"}, "unknown key"),
        ({}, "missing kind"),
    ],
)
def test_a_document_that_is_not_of_the_model_does_not_leave(
    document: dict[str, Any], why: str
) -> None:
    with pytest.raises(DataError) as refused:
        refuse_faulty(the_packs().formats["referral"], document)
    assert refused.value.code == "message.not-canonical"
    assert why in f"{refused.value.message} {refused.value.fix}"
