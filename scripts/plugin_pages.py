"""A reference page for each plugin that is shipped: what it can do, its settings, quirks, errors.

Settings follow from the JSON Schema of the system's `Config`. The tables of what vendors do
otherwise are those files of the package that hold one vendor each (`quirks/*.toml`) or one table
for each (`dialects.toml`).
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from error_codes import error_codes

from adapter.exchange.abilities import DECLARED
from adapter.exchange.installed_plugins import LoadedPlugin, Plugins
from adapter.exchange.plugins import load_plugins

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = tuple(sorted(each.name for each in (ROOT / "plugins").iterdir() if each.is_dir()))


def plugin_page(name: str) -> Iterator[str]:
    """The lines of one page, without its note."""
    plugins = load_plugins({name})
    plugin = next(each for each in plugins.loaded if each.name == name)
    yield from (f"# Plugin `{name}`", "")
    yield f"`{plugin.distribution}`. How to install it and set it up: its"
    yield f"[README](../../../plugins/{name}/README.md)."
    for spec in plugin.systems:
        yield from ("", f"## System `{spec.name}`", "", f"{spec.summary}.")
        yield from capabilities(plugins.system(spec.name).capabilities)
        yield from settings(spec.name, plugins.system(spec.name).Config.model_json_schema())
    yield from brought(plugin, plugins)
    yield from quirks(name)
    yield from errors(name)


def capabilities(declared: Any) -> Iterator[str]:
    yield from ("", "### Capabilities", "")
    yield from table("ability", "support", "why")
    for name in DECLARED:
        support = getattr(declared, name)
        yield row(f"`{name}`", support.level, support.reason or support.since)
    if declared.polls.level not in ("not-implemented", "impossible"):
        yield from ("", f"It is asked for news every {declared.poll_seconds} s where a site does")
        yield "not say otherwise."
    if declared.outbound_kinds:
        written = f" in the format `{declared.outbound_format}`" if declared.outbound_format else ""
        yield from ("", f"What is delivered{written}:", "")
        yield from table("event", "message")
        for event, kind in declared.outbound_kinds.items():
            yield row(event, f"`{kind}`" if kind else "a notice")


def settings(system: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield from ("", "### Settings", "", f"`[sites.NAME.settings]` of a site with `{system}`.", "")
    yield from fields(schema)
    for name, field in schema["properties"].items():
        for each in tables_in(field, schema.get("$defs", {})):
            said = " ".join(each.get("description", "").split())
            kind = each["properties"].get("type", {}).get("const")
            which = f' with `type = "{kind}"`' if kind else ""
            yield from ("", f"#### `[sites.NAME.settings.{name}]`{which}", "", said, "")
            yield from fields(each)


def fields(schema: Mapping[str, Any]) -> Iterator[str]:
    yield from table("setting", "type", "default", "what it is")
    required = set(schema.get("required", ()))
    for name, field in schema["properties"].items():
        if "const" not in field:
            default = "required" if name in required else shown(field.get("default"))
            yield row(f"`{name}`", kind_of(field), default, field.get("description", ""))


def tables_in(field: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The tables that a setting may be, one for each of its types."""
    for each in (field, *field.get("oneOf", ()), *field.get("anyOf", ())):
        found = known.get(each.get("$ref", "").rpartition("/")[2], {})
        if "properties" in found:
            yield found


def shown(default: Any) -> str:
    if default in (None, "", [], {}) or isinstance(default, dict):
        return ""
    return f"`{json.dumps(default)}`"


def kind_of(field: Mapping[str, Any]) -> str:
    """The type of a setting, with its bounds, in words."""
    if "anyOf" in field:
        kinds = [kind_of(each) for each in field["anyOf"] if each.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in field:
        return ", ".join(f"`{each}`" if each else "empty" for each in field["enum"])
    if field.get("format") == "password":
        return "reference to a secret"
    if field.get("type") == "array":
        return f"list of {kind_of(field.get('items', {}))}"
    kind: str = {"object": "table", "boolean": "true or false", "number": "number"}.get(
        field.get("type", ""), field.get("format") or field.get("type", "table")
    )
    least = field.get("minimum", field.get("exclusiveMinimum"))
    most = field.get("maximum", field.get("exclusiveMaximum"))
    above = "above " if "exclusiveMinimum" in field else "from "
    bounds = (f" {above}{least}" if least is not None else "") + (
        f" to {most}" if most is not None else ""
    )
    return kind + bounds


def brought(plugin: LoadedPlugin, plugins: Plugins) -> Iterator[str]:
    """Formats, mapping packs, functions and commands."""
    rows = [
        ("Formats", [each.name for each in plugin.formats]),
        ("Mapping packs", [each.name for each in plugin.packs]),
        ("Mapping functions", sorted(plugin.functions)),
        ("Secrets", ["references of its own"] if plugin.resolver is not None else []),
    ]
    if any(found for _, found in rows) or plugin.commands:
        yield from ("", "## What it brings", "")
    for what, found in rows:
        if found:
            yield f"- {what}: {', '.join(f'`{each}`' for each in found)}"
    for command, function in sorted(plugin.commands.items()):
        says = next(iter((function.__doc__ or "").strip().splitlines()), "")
        yield f"- Command: `adapter {plugin.name} {command}`. {says}"


def quirks(name: str) -> Iterator[str]:
    """What vendors do otherwise, from the package's tables."""
    package = ROOT / "plugins" / name / f"adapter_{name}"
    found = {file.stem: file for file in sorted((package / "quirks").glob("*.toml"))}
    tables = {key: tomllib.loads(file.read_text("utf-8")) for key, file in found.items()}
    dialects = package / "dialects.toml"
    if dialects.exists():
        tables |= tomllib.loads(dialects.read_text("utf-8"))
    if not tables:
        return
    yield from (
        "",
        "## Quirks",
        "",
        "What is different at a vendor's; everything else is as usual.",
    )
    for key, said in tables.items():
        yield from ("", f"### `{key}`", "")
        yield from table("quirk", "value")
        for quirk, value in said.items():
            yield row(f"`{quirk}`", f"`{json.dumps(value, ensure_ascii=False)}`")


def errors(name: str) -> Iterator[str]:
    yield from ("", "## Errors", "")
    codes = error_codes(f"plugins/{name}")
    if not codes:
        yield "None of its own: those of the core, in [errors](../errors.md)."
        return
    yield "Those that the plugin itself raises; besides them come those of the core."
    yield ""
    for code in codes:
        yield f"- [`{code}`](../errors.md#{code.replace('.', '')})"


def table(*columns: str) -> Iterator[str]:
    yield row(*columns)
    yield "|" + "---|" * len(columns)


def row(*cells: str) -> str:
    return "| " + " | ".join(each.replace("|", "\\|").replace("\n", " ") for each in cells) + " |"
