"""`adapter mappings`: list packs, check tables, show a map, test the laws, export to FHIR."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapter.cli.formats import installed_formats
from adapter.cli.printing import JsonOption, emit, say, table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

    from adapter.mapping.packs import Pack, Packs
    from adapter.mapping.run import Map
    from adapter.mapping.table import Fault
    from adapter.plugin.formats import Format

app = typer.Typer(
    help="Mapping tables: list them, check them, show one, test their laws, export them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
PackArgument = Annotated[
    str | None,
    typer.Argument(metavar="[PACK|DIR]", help="A pack by name, or a folder; all without it."),
]


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List every pack, its maps, and the folder that it is in.

    Example:

      adapter mappings list
    """
    packs = _packs(installed_formats(), None)
    rows = [
        {
            "pack": each.pack,
            "version": packs.packs[each.pack].version,
            "map": each.name,
            "left": each.left_format.name,
            "kinds": list(each.table.left_kinds),
            "right": each.right_format.name,
            "dialect": each.dialect,
            "title": each.table.title,
            "folder": str(packs.packs[each.pack].root),
        }
        for each in packs.maps
    ]
    if as_json:
        emit(rows)
    else:
        table(("pack", "map", "left", "kinds", "dialect", "title"), rows, empty="No packs.")
        for name, folder in dict.fromkeys((row["pack"], row["folder"]) for row in rows):
            say(f"{name}: {folder}")


@app.command()
def check(pack: PackArgument = None, as_json: JsonOption = False) -> None:
    """Find every fault of mapping tables before a message meets them, each with file and line.

    Examples:

      adapter mappings check

      adapter mappings check ./my-pack

    With --json: {"issues": [{"file", "line", "column", "code", "message", "fix"}]}.
    Exit code 1: there are faults.
    """
    faults = _faults(installed_formats(), pack)
    if as_json:
        emit({"issues": [_issue(fault) for fault in faults]})
    else:
        for fault in faults:
            print(f"{fault.where}: {fault.code}: {fault.message}")
            print(f"  Fix: {fault.fix}")
        say(f"{len(faults)} faults" if faults else "no faults")
    if faults:
        raise typer.Exit(1)


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="PACK/MAP", help="A map, as list prints it.")],
    source: Annotated[
        bool, typer.Option("--source", help="Show the generated Python instead of the rows.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show a map with everything that it inherits, row by row.

    Examples:

      adapter mappings show hl7v2_ref/ref-i12

      adapter mappings show --source fhir_r4/r4-bundle
    """
    found = _map(_packs(installed_formats(), None), name)
    if source:
        print(f"# to the right\n{found.right_source.text}\n# to the left\n{found.left_source.text}")
        return
    rows = list(_rows(found.table.rows))
    if as_json:
        emit(rows)
    else:
        table(("left", "arrow", "right", "codec", "loses", "where"), rows)


@app.command("test")
def run_laws(
    pack: PackArgument = None,
    cases: Annotated[
        int, typer.Option("--cases", metavar="N", min=1, help="Generated documents for each map.")
    ] = 1000,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop at the first law that fails.")
    ] = False,
    accept: Annotated[
        bool,
        typer.Option("--accept", help="Write what the cases give now into cases/expected/."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Test the laws of two-way maps on generated documents and on each pack's cases.

    Examples:

      adapter mappings test

      adapter mappings test --cases 200 --fail-fast ./my-pack

    With --json: {"maps": [{"pack", "map", "law", "cases", "failed", "first_failure"}]}.
    Exit code 1: a law failed.
    """
    from adapter.mapping import laws

    formats = installed_formats()
    faults = _faults(formats, pack)
    if faults:
        _refuse(faults, as_json)
    packs = _packs(formats, pack)
    results: list[dict[str, Any]] = []
    for name in _named(packs, pack):
        if accept:
            say(f"{name}: {laws.accept(packs, name)} cases written; review the difference")
        for result in laws.laws_of(packs, name, cases=cases, fail_fast=fail_fast):
            row = {
                "pack": result.pack,
                "map": result.map,
                "law": result.law,
                "cases": result.cases,
                "failed": result.failed,
                "first_failure": result.first_failure,
            }
            results.append(row)
        if fail_fast and any(row["failed"] for row in results):
            break
    if as_json:
        emit({"maps": results})
    else:
        table(("pack", "map", "law", "cases", "failed", "first_failure"), results)
    failed = sum(1 for row in results if row["failed"])
    say(f"{sum(row['cases'] for row in results)} cases, {failed} laws failed")
    if failed or not results:
        raise typer.Exit(1)


@app.command()
def export(
    pack: PackArgument = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="A folder; else standard output.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Export maps as FHIR mapping language and code tables as ConceptMaps, one pair a direction.

    Example:

      adapter mappings export hl7v2_ref --out build/maps
    """
    from adapter.mapping.export import exported
    from adapter.plugin import durable_files

    packs = _packs(installed_formats(), pack)
    rows: list[dict[str, str]] = []
    for name in _named(packs, pack):
        for file, content in exported(packs, name):
            if out is None:
                rows.append({"pack": name, "file": file, "content": content})
                if not as_json:
                    print(content)
                continue
            target = out / name / file
            durable_files.make_folder(target.parent)
            durable_files.write(target, content.encode())
            rows.append({"pack": name, "file": str(target)})
    if as_json:
        emit(rows)
    say(f"{len(rows)} files" + (f" in {out}" if out else ""))


def _functions() -> Mapping[str, Any]:
    from adapter.exchange.plugins import load_plugins

    return load_plugins(None).functions


def _folder(pack: str | None) -> Path | None:
    return Path(pack) if pack is not None and Path(pack, "pack.toml").is_file() else None


def _packs(formats: Mapping[str, Format], pack: str | None) -> Packs:
    from adapter.mapping.packs import load_packs

    folder = _folder(pack)
    overrides = [folder] if folder else []
    return load_packs(formats, overrides=overrides, functions=_functions(), compiled=False)


def _named(packs: Packs, pack: str | None) -> list[str]:
    """The packs that the argument means, by name."""
    if pack is None:
        return sorted(packs.packs)
    if _folder(pack):
        return [name for name, each in packs.packs.items() if str(each.root) == str(Path(pack))]
    if pack not in packs.packs:
        known = ", ".join(sorted(packs.packs))
        raise typer.BadParameter(f"there is no pack {pack}; there are: {known}")
    return [pack]


def _faults(formats: Mapping[str, Format], pack: str | None) -> list[Fault]:
    from adapter.mapping.check import check_pack
    from adapter.mapping.packs import core_packs, read_pack
    from adapter.mapping.table import TableError

    core: dict[str, Pack] = {}
    roots: dict[str, Traversable] = {root.name: root for root in core_packs()}
    for root in roots.values():
        try:
            found = read_pack(root)
        except TableError:
            continue
        core[found.name] = found
    folder = _folder(pack)
    chosen: list[Traversable]
    if folder is not None:
        chosen = [folder]
    elif pack is None:
        chosen = list(roots.values())
    elif pack in core:
        chosen = [core[pack].root]
    elif pack in roots:
        chosen = [roots[pack]]
    else:
        raise typer.BadParameter(
            f"there is no pack {pack}, and no folder of that name with a pack.toml; "
            f"there are: {', '.join(sorted(core))}"
        )
    functions = _functions()
    return [fault for root in chosen for fault in check_pack(root, core, formats, functions)]


def _issue(fault: Fault) -> dict[str, Any]:
    return {
        "file": fault.where.file,
        "line": fault.where.line,
        "column": fault.where.column,
        "code": fault.code,
        "message": fault.message,
        "fix": fault.fix,
    }


def _refuse(faults: list[Fault], as_json: bool) -> None:
    """A table with a fault is not run: every law of it fails, and the fault says why."""
    first = str(faults[0])
    if as_json:
        file = Path(faults[0].where.file)
        row = {
            "pack": file.parent.name, "map": file.name, "law": "checked", "cases": len(faults),
            "failed": len(faults), "first_failure": first,
        }  # fmt: skip
        emit({"maps": [row]})
    else:
        print(first, file=sys.stderr)
    say(f"{len(faults)} faults; no law was tested")
    raise typer.Exit(1)


def _map(packs: Packs, name: str) -> Map:
    pack, _, found = name.rpartition("/")
    for each in packs.maps:
        if each.name == found and (not pack or each.pack == pack):
            return each
    known = ", ".join(f"{each.pack}/{each.name}" for each in packs.maps)
    raise typer.BadParameter(f"there is no map {name}; there are: {known}")


def _rows(entries: Any, depth: int = 0) -> Any:
    from adapter.mapping.table import Block, Const, Lost, Place

    def text(end: Any) -> str:
        if isinstance(end, Place):
            return end.text
        if isinstance(end, Const):
            return f"const {end.value}"
        return f"lost: {end.words}" if isinstance(end, Lost) else f"same {end.text}"

    for entry in entries:
        block = isinstance(entry, Block)
        yield {
            "left": "  " * depth + (f"{entry.kind} " if block else "") + text(entry.left),
            "arrow": entry.arrow,
            "right": text(entry.right),
            "codec": "" if block else entry.codec or "",
            "loses": entry.loses,
            "where": f"{Path(entry.where.file).name}:{entry.where.line}",
        }
        if block:
            yield from _rows(entry.rows, depth + 1)
