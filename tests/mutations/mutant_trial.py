"""Whether a mutant of a pack is noticed: by the checker, when it is loaded, or by a law.

This is what `adapter mappings check DIR` and `adapter mappings test DIR --fail-fast` do, without
starting a program for each mutant. The pack is copied; the repository's files are never touched.
"""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from row_mutants import Mutant

from adapter.cli.formats import installed_formats
from adapter.exchange.plugins import load_plugins
from adapter.mapping.bound import bind
from adapter.mapping.check import check_pack
from adapter.mapping.laws import laws_of
from adapter.mapping.packs import Packs, codes_for, core_packs, load_packs, read_pack, resolved
from adapter.mapping.run import Map
from adapter.plugin.errors import DataError
from adapter.plugin.formats import Format

EQUIVALENT = Path(__file__).with_name("equivalent.toml")
SURVIVED = "survived"
FEW = 6


@cache
def installed() -> tuple[Mapping[str, Format], Mapping[str, Any], Packs]:
    """Formats, functions and packs of the installation: the same for every trial."""
    formats, functions = installed_formats(), load_plugins(None).functions
    return formats, functions, load_packs(formats, functions=functions, compiled=False)


class Trial:
    """A copy of one pack, bent and mended again for each mutant."""

    def __init__(self, name: str, folder: Path, cases: int) -> None:
        self.cases = cases
        self.formats, self.functions, self.all = installed()
        self.name = name
        self.source = next(Path(str(root)) for root in core_packs() if Path(str(root)).name == name)
        self.root = folder / name
        shutil.copytree(self.source, self.root)
        self.others = {each: pack for each, pack in self.all.packs.items() if each != name}

    def verdict(self, mutant: Mutant) -> str:
        """How the mutant is noticed: ``check: <code>`` or ``law: <law>``; else SURVIVED."""
        file = self.root / mutant.file
        was = file.read_bytes()
        file.write_text(mutant.text, encoding="utf-8")
        try:
            return self.noticed(mutant.file)
        finally:
            file.write_bytes(was)

    def noticed(self, file: str = "") -> str:
        """How the copy as it stands is noticed; only maps that read `file` are tried.

        A few generated documents are enough for most mutants; the rest get as many as were asked.
        """
        faults = check_pack(self.root, self.others, self.formats, self.functions)
        if faults:
            return f"check: {faults[0].code}"
        packs = self._packs()
        affected = self._affected(packs, file)
        for cases in (min(FEW, self.cases), self.cases):
            try:
                for result in laws_of(packs, self.name, cases=cases, fail_fast=True, only=affected):
                    if result.failed:
                        return f"law: {result.law}"
            except DataError:
                return "law: a case cannot be read"
        return SURVIVED

    def _affected(self, packs: Packs, file: str) -> set[str] | None:
        """The maps of a file, and those that inherit from them; None for all."""
        if not file.endswith(".map.yaml"):
            return None
        tables = packs.packs[self.name].tables
        found = {name for name, each in tables.items() if each.where.file.endswith(f"/{file}")}
        while True:
            heirs = {
                name
                for name, each in tables.items()
                if each.extends and each.extends.rpartition("/")[2] in found
            }
            if heirs <= found:
                return found
            found |= heirs

    def _packs(self) -> Packs:
        pack = read_pack(self.root)
        known: Mapping[str, Any] = {pack.name: pack, **self.others}
        maps = []
        for table in pack.tables.values():
            whole = resolved(table, known)
            if not whole.left.get("abstract"):
                codes = codes_for(table, pack, known)
                maps.append(Map(bind(whole, self.formats, codes, self.functions)))
        return Packs(
            known, [*maps, *(m for m in self.all.maps if m.pack != pack.name)], self.formats
        )


def equivalents(file: Path = EQUIVALENT) -> dict[tuple[str, str, str], str]:
    """Mutants that change nothing anyone could see, with the reason: (file, was, now) of each."""
    listed = tomllib.loads(file.read_text(encoding="utf-8")).get("equivalent", [])
    return {(each["file"], each["was"], each["now"]): each["reason"] for each in listed}
