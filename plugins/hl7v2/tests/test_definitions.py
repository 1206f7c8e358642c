"""The definitions say what the standard says, where we know it from elsewhere."""

from __future__ import annotations

import pytest

from adapter_hl7v2.structure.definitions import (
    VERSIONS,
    StructureNode,
    component,
    components,
    message_structure,
    segment_field,
    segment_fields,
    table_codes,
)

COUNTS = [
    ("RF1", {"2.3": 11, "2.5.1": 11, "2.6": 12, "2.7": 12, "2.7.1": 12, "2.8": 25, "2.9": 25}),
    ("PRD", {"2.3": 9, "2.5.1": 9, "2.6": 14, "2.9": 14}),
    ("CTD", dict.fromkeys(VERSIONS, 7)),
    ("AUT", {"2.3": 10, "2.6": 10, "2.7": 12, "2.8": 29}),
    ("ERR", {"2.3": 1, "2.4": 1, "2.5": 12}),
    ("MSH", {"2.3": 19, "2.5.1": 21, "2.6": 25, "2.9": 28}),
]


@pytest.mark.parametrize(
    ("segment", "version", "last"),
    [(name, version, n) for name, versions in COUNTS for version, n in versions.items()],
)
def test_a_segment_grew_as_the_standard_did(segment: str, version: str, last: int) -> None:
    assert segment_fields(version, segment)[-1].number == last


def test_fields_know_type_table_and_cardinality() -> None:
    field = segment_field("2.5.1", "PID", 3)
    assert field is not None
    assert (field.datatype, field.required, field.repeats) == ("CX", True, True)
    status = segment_field("2.9", "RF1", 1)
    assert status is not None
    assert (status.datatype, status.table, status.required) == ("CWE", "0283", False)
    assert segment_field("2.5.1", "RF1", 12) is None
    assert segment_field("2.5.1", "PID", 0) is None
    assert segment_field("3.0", "PID", 3) is None


def test_components_reach_down_to_simple_types() -> None:
    authority = component("2.6", "CX", 4)
    assert authority is not None
    assert authority.datatype == "HD"
    universal = component("2.6", authority.datatype, 2)
    assert universal is not None
    assert universal.datatype == "ST"
    assert component("2.6", "ST", 2) is None
    assert components("2.6", "ST") == ()


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_has_the_referral_messages(version: str) -> None:
    for name in ("REF_I12", "RRI_I12", "ORU_R01", "SIU_S12", "ACK"):
        structure = message_structure(version, name)
        assert structure is not None
        assert structure.children[0].name == "MSH"
    assert (message_structure(version, "OMG_O19") is None) == (version in ("2.3", "2.3.1"))
    assert (message_structure(version, "OSU_O51") is not None) == (version >= "2.8")


@pytest.mark.parametrize("version", VERSIONS)
def test_every_segment_and_data_type_that_is_named_is_defined(version: str) -> None:
    simple: set[str] = set()
    for name in ("REF_I12", "RRI_I12", "ORU_R01", "SIU_S12", "ACK"):
        structure = message_structure(version, name)
        assert structure is not None
        for segment in _segments(structure):
            fields = segment_fields(version, segment)
            assert fields, segment
            for field in fields:
                parts = components(version, field.datatype)
                simple |= {field.datatype} if not parts else set()
                simple |= {p.datatype for p in parts if not components(version, p.datatype)}
    assert all(len(name) <= 3 or name == "varies" or name.startswith("CM") for name in simple), (
        simple
    )


def test_rf1_is_optional_and_pd1_is_not_in_a_referral() -> None:
    structure = message_structure("2.5.1", "REF_I12")
    assert structure is not None
    by_name = {node.name: node for node in structure.children}
    assert (by_name["RF1"].least, by_name["PID"].least) == (0, 1)
    assert (by_name["PROVIDER_CONTACT"].least, by_name["PROVIDER_CONTACT"].most) == (1, -1)
    assert "PD1" not in _segments(structure)


def test_tables_hold_the_codes_that_we_check() -> None:
    assert table_codes("0283") == {"A", "E", "P", "R"}
    assert {"RP", "RT", "PP", "CP"} <= table_codes("0286")
    assert {"JHN", "MR", "SS"} <= table_codes("0203")
    assert table_codes("9999") == frozenset()


def _segments(node: StructureNode) -> set[str]:
    if not node.is_group:
        return {node.name}
    return set().union(*map(_segments, node.children))
