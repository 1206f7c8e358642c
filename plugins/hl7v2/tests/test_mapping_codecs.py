"""Each codec of HL7 v2: what it writes it reads again, and what it cannot hold it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapter.plugin.formats import Codec, DomainError, Settings
from adapter_hl7v2 import times
from adapter_hl7v2.codecs import CODECS
from adapter_hl7v2.encoding import Encoding
from adapter_hl7v2.environment import Er7Environment

ENV = Er7Environment(Encoding(), Settings(timezone="America/Toronto"))


@dataclass
class Pairs:
    to_right: Mapping[str, str]
    to_left: Mapping[str, str] = field(default_factory=dict)


SYSTEMS = Pairs({"SCT": "http://snomed.info/sct"}, {"http://snomed.info/sct": "SCT"})
PLACES = Pairs({"ON": "https://hcn.example/on"}, {"https://hcn.example/on": "ON"})


def codec(name: str, *arguments: str) -> Codec:
    return CODECS[name](arguments, {"systems": SYSTEMS, "places": PLACES})


def plain_text() -> st.SearchStrategy[str]:
    letters = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\x85\u2028\u2029")
    return st.text(letters, min_size=1, max_size=20)


@given(value=plain_text())
def test_any_text_comes_back_whatever_delimiters_it_holds(value: str) -> None:
    for name in ("text", "lines", "base64"):
        found = codec(name)
        raw = found.write(value, ENV)
        assert not set("|\r\n") & set(raw)
        assert found.read(raw, ENV) == value


@given(texts=st.lists(st.one_of(st.text(max_size=6), st.sampled_from(['""', "a^b", "^", "~&"]))))
def test_components_are_joined_as_if_each_were_quoted_alone(texts: list[str]) -> None:
    encoding = Encoding()
    raw = encoding.join(texts)
    assert raw == "^".join(encoding.quote(text) for text in texts).rstrip("^")
    assert [encoding.unescape(part) for part in raw.split("^")] == ([*_trimmed(texts)] or [""])


def _trimmed(texts: list[str]) -> list[str]:
    while texts and not texts[-1]:
        texts = texts[:-1]
    return texts


@given(lines=st.lists(plain_text(), min_size=1, max_size=4))
@example(lines=["0", "C2842", "0"])
def test_line_ends_come_back(lines: list[str]) -> None:
    found = codec("lines")
    value = "\n".join(lines)
    assert found.read(found.write(value, ENV), ENV) == value


@pytest.mark.parametrize(
    ("raw", "iso"),
    [
        ("2026", "2026"),
        ("202603", "2026-03"),
        ("20260312", "2026-03-12"),
        ("202603121530", "2026-03-12T15:30-04:00"),
        ("20260112153000", "2026-01-12T15:30:00-05:00"),
        ("20260312153000.125+0000", "2026-03-12T15:30:00.125Z"),
        ("20260312153000-0330", "2026-03-12T15:30:00-03:30"),
    ],
)
def test_a_time_keeps_its_precision_and_offset(raw: str, iso: str) -> None:
    found = codec("dateTime")
    assert found.read(raw, ENV) == iso
    assert found.read(found.write(iso, ENV), ENV) == iso


@pytest.mark.parametrize(
    "raw",
    ["20261301", "20260230", "2026031", "abcd", "2026031225", "202603121561", "0000", "2026+0100"],
)
def test_a_time_that_does_not_exist_is_refused(raw: str) -> None:
    with pytest.raises(DomainError):
        times.iso(raw, "UTC")


@pytest.mark.parametrize(
    ("raw", "value", "use"),
    [
        ("(416)555-0133^PRN^PH", "(416)555-0133", "home"),
        ("^WPN^PH^^1^416^5550133", "+1-416-555-0133", "work"),
        ("^WPN^PH^^1^416^5550133^22", "+1-416-555-0133 x22", "work"),
        ("^PRN^CP^^1^416^5550133", "+1-416-555-0133", "mobile"),
        ("^PRN^PH^^44^20^79460000", "+44 20 79460000", "home"),
        ("^^PH^^^^^^^^^+14165550133", "+14165550133", None),
        ("5555550133^WPN^PH^^1^555^5550133^12", "5555550133 x12", "work"),
        ("555-555-0133 ext 12^WPN^PH^^1^555^5550133^12", "555-555-0133 ext 12", "work"),
    ],
)
def test_every_form_of_a_telephone_number_is_read(raw: str, value: str, use: str | None) -> None:
    found = codec("phone").read(raw, ENV)
    assert (found["system"], found["value"], found.get("use")) == ("phone", value, use)
    assert codec("phone").read(codec("phone").write(found, ENV), ENV) == found


def test_an_email_address_is_read_from_its_own_component() -> None:
    found = codec("phone").read("^NET^Internet^a@clinic.example", ENV)
    assert found == {"system": "email", "value": "a@clinic.example"}


def test_a_health_number_is_known_by_its_jurisdiction_and_keeps_its_version() -> None:
    found = codec("identifier", "places").read("9999999999^AB^^^JHN^^^^ON", ENV)
    assert found == {
        "value": "9999999999",
        "type": "JHN",
        "version": "AB",
        "system": "https://hcn.example/on",
    }
    assert codec("identifier", "places").write(found, ENV) == "9999999999^AB^^^JHN^^^^ON"


@pytest.mark.parametrize(
    "value",
    [
        {"value": "1", "type": "MR", "assigner": "A&B"},
        {"value": "1", "system": "urn:oid:1.2.3"},
        {"value": "1", "system": "https://x.example/ids", "assigner": "X", "type": "PI"},
        {"value": "a^b", "type": "MR", "period": {"start": "2020-01-01", "end": "2030"}},
    ],
)
def test_an_identifier_comes_back(value: dict[str, Any]) -> None:
    found = codec("identifier")
    assert found.read(found.write(value, ENV), ENV) == value


def test_a_third_given_name_or_address_line_is_refused_and_not_dropped() -> None:
    with pytest.raises(DomainError):
        codec("name").write({"family": "A", "given": ["B", "C", "D"]}, ENV)
    with pytest.raises(DomainError):
        codec("address").write({"lines": ["1", "2", "3"]}, ENV)
    with pytest.raises(DomainError):
        codec("concept", "systems").write({"codings": [{"code": "1"}] * 3}, ENV)


def test_a_coding_system_goes_by_its_table_its_number_or_its_own_name() -> None:
    found = codec("concept", "systems")
    systems = {
        name: found.read(f"1^One^{name}", ENV)["codings"][0]["system"]
        for name in ("SCT", "HL70063", "99ABC")
    }
    assert systems["SCT"] == "http://snomed.info/sct"
    assert systems["HL70063"] == "http://terminology.hl7.org/CodeSystem/v2-0063"
    assert systems["99ABC"].endswith("/99ABC")
    for name in systems:
        raw = f"1^One^{name}"
        assert found.write(found.read(raw, ENV), ENV) == raw


@pytest.mark.parametrize("name", ["text", "lines", "name", "address", "identifier", "concept"])
def test_the_explicit_null_is_no_value(name: str) -> None:
    assert codec(name).read('""', ENV) is None


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("boolean", "yes"),
        ("integer", "1.5"),
        ("decimal", "NaN"),
        ("decimal", "abc"),
        ("time", "2561"),
        ("base64", "%%%"),
        ("attachment", "^application^pdf^A^xx"),
    ],
)
def test_a_value_outside_the_domain_is_refused(name: str, raw: str) -> None:
    with pytest.raises(DomainError) as caught:
        codec(name).read(raw, ENV)
    assert raw not in caught.value.why


def test_a_decimal_keeps_its_zeros() -> None:
    assert codec("decimal").read("1.10", ENV) == "1.10"
