"""Write adapter_hl7v2/structure/*.json from the tables of hl7apy (MIT; facts of HL7 v2 chapters).

What hl7apy has not, or has otherwise than the standard, is stated below with its reason. It knows
no field lengths, so neither do we.

    .venv/bin/python scripts/build_hl7_definitions.py
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

OUT = Path(__file__).parents[1] / "plugins/hl7v2/adapter_hl7v2/structure"
# Each version and the hl7apy package that holds it. 2.7.1 changed nothing that we read in 2.7;
# 2.9 is 2.8.2 with the additions below.
VERSIONS = {
    "2.3": "v2_3",
    "2.3.1": "v2_3_1",
    "2.4": "v2_4",
    "2.5": "v2_5",
    "2.5.1": "v2_5_1",
    "2.6": "v2_6",
    "2.7": "v2_7",
    "2.7.1": "v2_7",
    "2.8": "v2_8",
    "2.8.1": "v2_8_1",
    "2.8.2": "v2_8_2",
    "2.9": "v2_8_2",
}
STRUCTURES = ("REF_I12", "RRI_I12", "ORU_R01", "OMG_O19", "SIU_S12", "ACK")
# Segments that are met in these messages without being in their structures, and batch segments.
EXTRA_SEGMENTS = ("PD1", "ROL", "PRT", "CON", "REL", "TXA", "ARV", "FHS", "BHS", "BTS", "FTS")
TABLES = {
    "0001", "0003", "0008", "0038", "0078", "0085", "0103", "0119", "0123", "0155", "0200",
    "0201", "0203", "0280", "0281", "0282", "0283", "0284", "0286", "0301", "0357", "0516",
}  # fmt: skip
# Version 2.9, chapter 2: three fields on confidentiality close the header.
ADDED_2_9 = {
    "MSH": [
        [26, "Security Classification Tag", "CWE", 0, 1, None],
        [27, "Security Handling Instructions", "CWE", 0, -1, None],
        [28, "Special Access Restriction Instructions", "ST", 0, -1, None],
    ]
}
# hl7apy marks these required in some versions; the standard has them C (OBX-4, 'conditional') or O.
NOT_REQUIRED = {("OBX", 4), ("OBR", 27)}
# Components that a version withdrew are still sent and read (OSCAR writes XTN.1 in 2.6), so they
# stay, not required; hl7apy drops this one from 2.6 altogether.
XTN_1 = [1, "Telephone Number", "ST", 0, 1, None]
# hl7apy holds OSU^O51 under the name OSU_O41, and with MSA required: an order status that
# nobody asked for has none (360X sends it so).
OSU_SOURCE, OSU_NAME, OSU_SINCE = "OSU_O41", "OSU_O51", "2.8"


def load(package: str, part: str, name: str) -> dict[str, Any]:
    try:
        return getattr(importlib.import_module(f"hl7apy.{package}.{part}"), name)
    except ModuleNotFoundError:
        return {}


def words(name: str) -> str:
    small = {"Of", "The", "To", "And", "Or", "For", "In", "At"}
    said = [w if w in {"ID", "SSN"} else w.capitalize() for w in name.split("_")]
    return " ".join(w.lower() if i and w in small else w for i, w in enumerate(said))


def row(child: Any, facts: Any) -> list[Any]:
    """[number, name, data type, least, most (-1: no limit), table]."""
    name, _, (least, most), _ = child
    owner, number = name.rsplit("_", 1)
    table = facts[4]
    if (owner, int(number)) in NOT_REQUIRED:
        least = 0
    return [
        int(number),
        words(facts[3] or ""),
        facts[2],
        least,
        most,
        table.removeprefix("HL7") if table else None,
    ]


def tree(children: Any, groups: dict[str, Any], message: str) -> list[Any]:
    nodes = []
    for name, _, (least, most), kind in children:
        if kind == "GRP":
            inner = tree(groups[name][1], groups, message)
            nodes.append(
                [name.removeprefix(f"{message}_").rstrip("0123456789"), least, most, inner]
            )
        else:
            nodes.append([name, least, most])
    return nodes


def segments_in(nodes: list[Any]) -> set[str]:
    return {n[0] for n in nodes if len(n) == 3} | {
        s for n in nodes if len(n) == 4 for s in segments_in(n[3])
    }


def structures(package: str, version: str) -> dict[str, Any]:
    messages, groups = load(package, "messages", "MESSAGES"), load(package, "groups", "GROUPS")
    found = {name: tree(messages[name][1], groups, name) for name in STRUCTURES if name in messages}
    if version >= OSU_SINCE:
        nodes = tree(messages[OSU_SOURCE][1], groups, OSU_SOURCE)
        found[OSU_NAME] = [["MSA", 0, 1] if n[0] == "MSA" else n for n in nodes]
    return found


def segments(package: str, version: str, wanted: set[str]) -> dict[str, Any]:
    known, fields = load(package, "segments", "SEGMENTS"), load(package, "fields", "FIELDS")
    found = {
        name: [row(child, fields[child[0]]) for child in known[name][1] if child[2][1] != 0]
        for name in sorted(wanted)
        if name in known
    }
    if version == "2.9":
        for name, added in ADDED_2_9.items():
            found[name] = found[name] + added
    return found


def datatypes(package: str, wanted: set[str]) -> dict[str, Any]:
    structs = load(package, "datatypes", "DATATYPES_STRUCTS")
    found: dict[str, Any] = {}
    todo = set(wanted)
    while todo:
        name = todo.pop()
        if name in found or name not in structs:
            continue
        found[name] = [row(child, child[1]) for child in structs[name]]
        for component in found[name]:
            component[4] = component[4] or 1
        if name == "XTN" and found[name][0][0] != 1:
            found[name].insert(0, list(XTN_1))
        todo |= {component[2] for component in found[name]}
    return found


def main() -> None:
    collected: dict[str, dict[str, list[tuple[str, Any]]]] = {
        kind: {} for kind in ("messages", "segments", "datatypes")
    }
    tables: dict[str, Any] = {}
    bound: dict[tuple[str, int], str] = {}
    for version, package in VERSIONS.items():
        by_kind: dict[str, dict[str, Any]] = {"messages": structures(package, version)}
        wanted = set(EXTRA_SEGMENTS).union(*map(segments_in, by_kind["messages"].values()))
        by_kind["segments"] = segments(package, version, wanted)
        used = {field[2] for rows in by_kind["segments"].values() for field in rows}
        by_kind["datatypes"] = datatypes(package, used | {"XPN", "XAD", "XTN", "XCN", "XON", "ED"})
        carry_tables(by_kind, bound)
        for kind, definitions in by_kind.items():
            for name, definition in definitions.items():
                collected[kind].setdefault(name, []).append((version, definition))
        for key, (title, codes) in load(package, "tables", "TABLES").items():
            number = key.removeprefix("HL7")
            if number in TABLES:
                tables[number] = {"name": title, "codes": sorted(c for c in codes if " " not in c)}
    for kind, definitions in collected.items():
        write(kind, {name: fold(variants) for name, variants in sorted(definitions.items())})
    write("tables", dict(sorted(tables.items())))


def carry_tables(by_kind: dict[str, dict[str, Any]], bound: dict[tuple[str, int], str]) -> None:
    """hl7apy leaves the table out of some versions; it then is the one of the version before."""
    for kind in ("segments", "datatypes"):
        for name, rows in by_kind[kind].items():
            for field in rows:
                field[5] = field[5] or bound.get((name, field[0]))
                if field[5]:
                    bound[name, field[0]] = field[5]


def fold(variants: list[tuple[str, Any]]) -> list[Any]:
    """[[versions], definition] for each different definition."""
    folded: list[Any] = []
    for version, definition in variants:
        for entry in folded:
            if entry[1] == definition:
                entry[0].append(version)
                break
        else:
            folded.append([[version], definition])
    return folded


def write(kind: str, content: dict[str, Any]) -> None:
    lines = [
        f"{json.dumps(name)}: {json.dumps(value, separators=(',', ':'))}"
        for name, value in content.items()
    ]
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    (OUT / f"{kind}.json").write_text(text, encoding="utf-8")
    print(f"{kind}.json: {len(content)} entries, {len(text):,} bytes")


if __name__ == "__main__":
    main()
