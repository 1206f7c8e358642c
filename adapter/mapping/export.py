"""Maps as FHIR mapping language, and code tables as ConceptMap: one pair for each direction.

The FHIR mapping language (R4, mapping-language.html) is one-way and has no inverse; the text is for
reading and for engines that take it. The table remains the source.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from adapter.mapping.bound import split_condition
from adapter.mapping.codes import CodeTable
from adapter.mapping.packs import Packs
from adapter.mapping.run import Map
from adapter.mapping.table import Block, Const, Entry, Lost, Place, Row, Same

BASE = "https://social-prescribing-adapter.example/fhir"


def exported(packs: Packs, name: str) -> Iterator[tuple[str, str]]:
    """File name and content of each map and code table of a pack, in each direction."""
    for mapping in packs.maps:
        if mapping.pack == name:
            for to_right in (True, False):
                side = "to-referral" if to_right else "from-referral"
                yield f"{mapping.name}-{side}.map", structure_map(mapping, to_right=to_right)
    for table in packs.packs[name].codes.values():
        for to_right in (True, False):
            found = concept_map(table, to_right=to_right)
            text = orjson.dumps(found, option=orjson.OPT_INDENT_2).decode() + "\n"
            yield f"{table.name}-{_side(to_right)}.json", text


def concept_maps(packs: Packs) -> Iterator[dict[str, Any]]:
    """Every code table of every pack as ConceptMaps, each direction once.

    Of tables of the same name the first pack's counts, as it does when a map names it: a site's own
    folder goes before a plugin's pack, and that before the core's.
    """
    seen: set[str] = set()
    for pack in packs.packs.values():
        for table in pack.codes.values():
            if table.name not in seen:
                seen.add(table.name)
                yield concept_map(table)
                yield concept_map(table, to_right=False)


def concept_map(table: CodeTable, *, to_right: bool = True) -> dict[str, Any]:
    """One direction of a code table as a FHIR R4 ConceptMap.

    A match that is not exact has a comment, as R4 asks (cmd-1): the code of the way back.
    """
    groups: dict[tuple[str, str], dict[str, list[dict[str, Any]]]] = {}
    chosen, back = (table.to_right, table.to_left)[:: 1 if to_right else -1]
    for row in table.rows:
        ends = (row.left_code, row.right_code) if to_right else (row.right_code, row.left_code)
        systems = (row.left_system, row.right_system)
        if chosen.get(ends[0]) != ends[1]:
            continue
        target: dict[str, Any] = {"code": ends[1]}
        if row.display_en:
            target["display"] = row.display_en
        target["equivalence"] = _equivalence(row.relationship, to_right)
        if target["equivalence"] in ("narrower", "inexact"):
            returns = back.get(ends[1])
            target["comment"] = f"the way back is {returns}" if returns else "there is no way back"
        group = groups.setdefault(systems if to_right else (systems[1], systems[0]), {})
        group.setdefault(ends[0], []).append(target)
    name = f"{table.name}-{_side(to_right)}"
    return {
        "resourceType": "ConceptMap",
        "id": name,
        "url": f"{BASE}/ConceptMap/{name}",
        "name": "CodeTable" + "".join(part.capitalize() for part in name.split("-")),
        "status": "active",
        "group": [
            {
                **({"source": source} if source else {}),
                **({"target": target} if target else {}),
                "element": [{"code": code, "target": to} for code, to in codes.items()],
            }
            for (source, target), codes in groups.items()
        ],
    }


def _side(to_right: bool) -> str:
    return "to-right" if to_right else "to-left"


def _equivalence(relationship: str, to_right: bool) -> str:
    # R4 says how the target relates to the source: turned round, wider is narrower.
    if to_right:
        return relationship
    return {"wider": "narrower", "narrower": "wider"}.get(relationship, relationship)


def translate(table: CodeTable, code: str, *, to_right: bool = True) -> str | None:
    """The code that a table gives for a code, or None: FHIR's `$translate`."""
    return (table.to_right if to_right else table.to_left).get(code)


def structure_map(mapping: Map, *, to_right: bool = True) -> str:
    """One direction of a map in FHIR mapping language."""
    table = mapping.table
    sides = [str(table.left.get("format")), str(table.right.get("format"))]
    source, target = sides if to_right else sides[::-1]
    name = f"{mapping.pack}-{mapping.name}-{'to-referral' if to_right else 'from-referral'}"
    lines = [
        f'map "{BASE}/StructureMap/{name}" = "{_word(name)}"',
        "",
        f"// {table.title or table.name}; made from {mapping.pack}/{mapping.name}",
        f'uses "{BASE}/StructureDefinition/{source}" alias Source as source',
        f'uses "{BASE}/StructureDefinition/{target}" alias Target as target',
        "",
        f"group {_word(name)}(source src : Source, target tgt : Target) {{",
        *_Writer(to_right, target != "fhir" and not to_right).entries(table.rows, "src", "tgt", 1),
        "}",
        "",
    ]
    return "\n".join(lines)


class _Writer:
    def __init__(self, to_right: bool, to_text: bool) -> None:
        self.to_right = to_right
        self.to_text = to_text
        self.count = 0

    def entries(self, rows: Iterable[Entry], src: str, tgt: str, depth: int) -> Iterator[str]:
        for entry in rows:
            if entry.arrow not in ("<->", "->" if self.to_right else "<-"):
                continue
            if isinstance(entry, Block):
                yield from self.block(entry, src, tgt, depth)
            else:
                yield from self.row(entry, src, tgt, depth)

    def row(self, row: Row, src: str, tgt: str, depth: int) -> Iterator[str]:
        self.count += 1
        source, target = (row.left, row.right) if self.to_right else (row.right, row.left)
        rule = f'"{_word(row.where.file.rsplit("/", 1)[-1])}_{row.where.line}_{self.count}"'
        pad = "  " * depth
        if not isinstance(target, Place):
            words = target.words if isinstance(target, Lost) else ""
            yield f"{pad}// {_path(source)}: not carried. {words}"
            return
        to = _reached(tgt, target.text)
        if isinstance(source, Const):
            yield f"{pad}{src} -> {to} = {_literal(source.value)} {rule};"
        elif isinstance(source, Same):
            yield f"{pad}{src} -> {to} = reference({_literal(source.text)}) {rule};"
        elif isinstance(source, Place):
            read = f"{_reached(src, source.text)} as v{self.condition(row)}"
            codec = f"  // {row.codec}" if row.codec else ""
            yield f"{pad}{read} -> {to} = {self.transform(row)} {rule};{codec}"

    def block(self, block: Block, src: str, tgt: str, depth: int) -> Iterator[str]:
        self.count += 1
        source, target = (block.left, block.right) if self.to_right else (block.right, block.left)
        pad = "  " * depth
        inner, made = f"s{self.count}", f"t{self.count}"
        kind = "" if block.kind == "each" else " first"
        read, write = _reached(src, source.text), _reached(tgt, target.text)
        where = self.condition(block)
        yield f"{pad}{read}{kind} as {inner}{where} -> {write} as {made} then {{"
        yield from self.entries(block.rows, inner, made, depth + 1)
        yield f'{pad}}} "block_{block.where.line}_{self.count}";'

    def condition(self, entry: Entry) -> str:
        """The condition of the side that is read, in FHIRPath."""
        text = entry.when.left if self.to_right else entry.when.right
        if not text:
            return ""
        path, values, negated = split_condition(text)
        there = _quoted(path)
        if not values:
            return f" where {there}.{'empty' if negated else 'exists'}()"
        tests = [
            f"{there} = {_literal(value)}" if value else f"{there}.empty()" for value in values
        ]
        found = f"({' or '.join(tests)})"
        return f" where {found}.not()" if negated else f" where {found}"

    def transform(self, row: Row) -> str:
        """What makes the target's value: a code table, or a cast (the codec is named beside it)."""
        name, _, arguments = (row.codec or "text").partition("(")
        if name == "code":
            table = f"{arguments.rstrip(')')}-{_side(self.to_right)}"
            return f"translate(v, '{BASE}/ConceptMap/{table}', 'code')"
        if name in ("text", "copy"):
            return "v"
        return f"cast(v, '{'string' if self.to_text else _TYPES.get(name, 'string')}')"


_TYPES = {
    "date": "date", "dateTime": "dateTime", "instant": "instant", "time": "time",
    "integer": "integer", "decimal": "decimal", "boolean": "boolean", "flag": "boolean",
    "name": "HumanName", "person": "HumanName", "address": "Address", "phone": "ContactPoint",
    "identifier": "Identifier", "entity": "Identifier", "coding": "Coding", "codings": "Coding",
    "concept": "CodeableConcept", "quantity": "Quantity", "period": "Period",
    "attachment": "Attachment", "reference": "Reference",
}  # fmt: skip


def _reached(variable: str, path: str) -> str:
    """A place under a variable; the variable itself for ``.``."""
    return variable if path == "." else f"{variable}.{_quoted(path)}"


def _path(end: Any) -> str:
    return end.text if isinstance(end, Place) else "const"


_PLAIN = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)


def _quoted(path: str) -> str:
    return path if _PLAIN.fullmatch(path) else f"`{path}`"


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "\\'") + "'"


def _word(text: str) -> str:
    return "".join(char if char.isalnum() else "_" for char in text)
