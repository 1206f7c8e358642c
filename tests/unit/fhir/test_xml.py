"""FHIR XML: what is written is read back as it was, and nothing hostile is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from adapter.fhir.instruments import instrument, instruments
from adapter.fhir.safe_json import loads
from adapter.fhir.writer import dump
from adapter.fhir.xml_reader import UnsafeXml, read_xml
from adapter.fhir.xml_writer import write_xml

Json = dict[str, Any]
CORPUS = sorted((Path(__file__).parent / "corpus" / "good").glob("*.json"))
NAMESPACE = 'xmlns="http://hl7.org/fhir"'
ODD: Json = {
    "resourceType": "Observation",
    "id": "odd",
    "contained": [
        {
            "resourceType": "Patient",
            "id": "p",
            "name": [
                {
                    "given": ["Zoé", None, "Élise"],
                    "_given": [None, {"extension": [{"url": "urn:x", "valueString": "y"}]}, None],
                }
            ],
        }
    ],
    "status": "final",
    "_status": {"id": "one"},
    "code": {"id": "two", "text": "a  b\n\t<&>\"'"},
    "issued": "2026-11-01T10:00:00.120-05:00",
    "component": [{"code": {"text": "x"}, "valueBoolean": False}],
}


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_every_good_resource_comes_back_as_it_was(path: Path) -> None:
    resource = loads(path.read_bytes())
    back = read_xml(write_xml(resource))
    for each in (resource, back):  # a narrative keeps its meaning, not its quotation marks
        each.pop("text", None)
        for one in each.get("contained", ()):
            one.pop("text", None)
    assert dump(_sorted(back)) == dump(_sorted(resource))


def test_the_corpus_is_there() -> None:
    assert len(CORPUS) > 10


@pytest.mark.parametrize("name", instruments())
def test_every_shipped_questionnaire_comes_back_as_it_was(name: str) -> None:
    held = dict(instrument(name))
    assert _sorted(read_xml(write_xml(held))) == _sorted(held)


def test_ids_extensions_digits_and_spaces_come_through() -> None:
    exact = loads(b'{"resourceType":"Observation","valueQuantity":{"value":1.10}}')
    assert read_xml(write_xml(ODD)) == ODD
    assert dump(read_xml(write_xml(exact))) == dump(exact)
    assert b'value="1.10"' in write_xml(exact)


def test_elements_stand_in_the_order_of_the_definitions() -> None:
    backwards = dict(reversed(ODD.items()))
    root = ElementTree.fromstring(write_xml(backwards))
    names = [each.tag.rpartition("}")[2] for each in root]
    assert names == ["id", "contained", "status", "code", "issued", "component"]


def test_a_narrative_is_written_as_xml_and_one_that_is_none_as_words() -> None:
    good = '<div xmlns="http://www.w3.org/1999/xhtml"><p>a&nbsp;&lt;b</p></div>'
    written = write_xml(_told(good))
    assert b"<p>a&#160;&lt;b</p>" in written
    assert read_xml(written)["text"]["div"].count("\u00a0") == 1
    written = write_xml(_told("<div><script>"))
    assert b"&lt;script&gt;" in written
    ElementTree.fromstring(written)


def _told(div: str) -> Json:
    return {"resourceType": "Patient", "text": {"status": "generated", "div": div}}


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(each) for each in value] if isinstance(value, list) else value


BOMB = '<!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;">]>'


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("", "syntax"),
        ("{}", "syntax"),
        (f"{BOMB}<Patient {NAMESPACE}><gender value='&c;'/></Patient>", "doctype"),
        (f"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><Patient {NAMESPACE}/>", "doctype"),
        (f"<Patient {NAMESPACE}><gender value='&b;'/></Patient>", "syntax"),
        (f"<?xml version='1.0' encoding='x'?><Patient {NAMESPACE}/>", "syntax"),
        ("<Patient/>", "namespace"),
        (f"<Patient {NAMESPACE}><x:a xmlns:x='urn:x'/></Patient>", "namespace"),
        (f"<Banana {NAMESPACE}/>", "structure"),
        (f"<Patient {NAMESPACE}>words</Patient>", "structure"),
        (f"<Patient {NAMESPACE}><active/></Patient>", "structure"),
        (
            f"<Patient {NAMESPACE}><gender value='male'/><gender value='male'/></Patient>",
            "structure",
        ),
        (f"<Bundle {NAMESPACE}><entry><resource/></entry></Bundle>", "structure"),
        (f"<Patient {NAMESPACE}>{'<contact>' * 90}{'</contact>' * 90}</Patient>", "too-deep"),
        (f"<Patient {NAMESPACE}>{'<contact/>' * 200_000}</Patient>", "too-many"),
    ],
)
def test_what_is_not_fhir_xml_is_refused_and_quotes_nothing(document: str, code: str) -> None:
    with pytest.raises(UnsafeXml) as caught:
        read_xml(document.encode())
    assert caught.value.code == code
    assert "passwd" not in str(caught.value)


def test_what_the_definitions_do_not_know_is_left_for_the_checks() -> None:
    document = f"<Patient {NAMESPACE}><banana value='1'/><birthDate value='never'/></Patient>"
    read = read_xml(document.encode())
    assert read == {"resourceType": "Patient", "banana": "1", "birthDate": "never"}
