"""What is exported is what it says it is: ConceptMaps that our checks pass, and text that follows
the grammar of the FHIR mapping language (R4, mapping-language.html#grammar)."""

from __future__ import annotations

import json
import re
from functools import cache

import pytest

from adapter.cli.formats import installed_formats
from adapter.fhir.checks import check
from adapter.mapping.export import exported
from adapter.mapping.packs import Packs, load_packs

TOKEN = re.compile(
    r"\s+|//[^\n]*|(?P<url>\"[^\"]*\")|(?P<text>'(?:[^'\\]|\\.)*')|(?P<name>`[^`]*`|[A-Za-z_]\w*)"
    r"|(?P<number>-?\d+)|(?P<sign>->|[{}();,.=:])"
)


@cache
def the_packs() -> Packs:
    return load_packs(installed_formats(), compiled=False)


def files() -> list[tuple[str, str, str]]:
    packs = the_packs()
    return [
        (pack, name, text) for pack in sorted(packs.packs) for name, text in exported(packs, pack)
    ]


FILES = files()


class Grammar:
    """A reader of the productions that R4 names: map, uses, group, rule, source, target."""

    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        place = 0
        while place < len(text):
            found = TOKEN.match(text, place)
            assert found is not None, f"no token at {text[place : place + 40]!r}"
            place = found.end()
            if found.lastgroup:
                self.tokens.append((found.lastgroup, found.group()))
        self.at = 0
        self.rules: list[str] = []

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def take(self, *wanted: str, kind: str = "") -> str:
        assert self.at < len(self.tokens), f"the text ends where {wanted or kind} should be"
        found, text = self.tokens[self.at]
        assert (text in wanted) if wanted else found == kind, f"{text} instead of {wanted or kind}"
        self.at += 1
        return text

    def structure_map(self) -> None:
        self.take("map"), self.take(kind="url"), self.take("="), self.take(kind="url")
        while self.peek() == "uses":
            self.take("uses"), self.take(kind="url"), self.take("alias"), self.take(kind="name")
            self.take("as"), self.take("source", "target")
        while self.peek() == "group":
            self.group()
        assert self.at == len(self.tokens)

    def group(self) -> None:
        self.take("group"), self.take(kind="name"), self.take("(")
        for mode in ("source", "target"):
            self.take(mode), self.take(kind="name"), self.take(":"), self.take(kind="name")
            self.take("," if mode == "source" else ")")
        self.body()

    def body(self) -> None:
        self.take("{")
        while self.peek() != "}":
            self.rule()
        self.take("}")

    def rule(self) -> None:
        self.path()
        if self.peek() == "first":
            self.take("first")
        self.alias()
        if self.peek() == "where":
            self.take("where")
            self.condition()
        self.take("->")
        self.path()
        if self.peek() == "=":
            self.take("=")
            self.transform()
        self.alias()
        if self.peek() == "then":
            self.take("then")
            self.body()
        self.rules.append(self.take(kind="url"))
        self.take(";")

    def path(self) -> None:
        self.take(kind="name")
        while self.peek() == ".":
            self.take("."), self.take(kind="name")

    def alias(self) -> None:
        if self.peek() == "as":
            self.take("as"), self.take(kind="name")

    def transform(self) -> None:
        kind, _ = self.tokens[self.at]
        if kind in ("text", "number"):
            self.take(kind=kind)
            return
        self.take(kind="name")
        if self.peek() == "(":
            self.take("(")
            while self.peek() != ")":
                kind, _ = self.tokens[self.at]
                self.take(kind=kind)
                if self.peek() == ",":
                    self.take(",")
            self.take(")")

    def condition(self) -> None:
        """FHIRPath of the shapes that conditions have: a function of a path, or alternatives."""
        if self.peek() != "(":
            self.test()
            return
        self.take("(")
        self.test()
        while self.peek() == "or":
            self.take("or")
            self.test()
        self.take(")")
        if self.peek() == ".":
            self.take("."), self.take("not"), self.take("("), self.take(")")

    def test(self) -> None:
        self.path()
        if self.peek() == "(":
            self.take("("), self.take(")")
            return
        self.take("=")
        self.take(kind="text")


def maps() -> list[tuple[str, str, str]]:
    return [each for each in FILES if each[1].endswith(".map")]


@pytest.mark.parametrize(("pack", "name", "text"), maps(), ids=[f"{p}-{n}" for p, n, _ in maps()])
def test_a_map_follows_the_grammar_of_the_mapping_language(pack: str, name: str, text: str) -> None:
    grammar = Grammar(text)
    grammar.structure_map()
    assert len(set(grammar.rules)) == len(grammar.rules), "rules have names of their own"
    assert text.count("\ngroup ") == 1


def test_there_is_a_pair_for_every_map_and_every_code_table() -> None:
    packs = the_packs()
    for pack in packs.packs.values():
        mine = {name for owner, name, _ in FILES if owner == pack.name}
        bound = [each.name for each in packs.maps if each.pack == pack.name]
        assert mine == {
            *(f"{each}-{side}-referral.map" for each in bound for side in ("to", "from")),
            *(f"{each}-to-{side}.json" for each in pack.codes for side in ("right", "left")),
        }


def test_every_code_table_is_a_concept_map_without_fault() -> None:
    tables = [json.loads(text) for _, name, text in FILES if name.endswith(".json")]
    assert len(tables) > 40
    for table in tables:
        found = [issue for issue in check(table) if issue.severity in ("error", "fatal")]
        assert found == [], table["id"]
        assert table["resourceType"] == "ConceptMap"


def test_what_a_map_translates_with_is_exported_too() -> None:
    named = {
        each.rsplit("/", 1)[-1]
        for _, name, text in maps()
        for each in re.findall(r"translate\(v, '([^']*)'", text)
    }
    tables = {name.removesuffix(".json") for _, name, _ in FILES if name.endswith(".json")}
    assert named
    assert named <= tables
