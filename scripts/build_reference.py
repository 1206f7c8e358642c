"""Write the reference pages that follow from the program: commands, and configuration.

`make docs` runs it; a test fails when a page is behind the program.
"""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from error_codes import Found, error_codes
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from adapter.cli.main import COMMANDS, EPILOG, load
from adapter.exchange import config
from adapter.exchange.directory import _Row as ProgramRow
from adapter.referral.programs import Program

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"
NOTE = "<!-- Written by scripts/build_reference.py from the program; run `make docs`. -->"


def command_page() -> str:
    lines = [NOTE, "", "# Command line", "", *wrapped(EPILOG), ""]
    lines += [
        *wrapped(
            "Results go to stdout, progress and messages to stderr. With `--json` the result is "
            "JSON, one document on one line; its shape is a public contract. Every command that "
            "reads a store takes `--config FILE` after its name (default `adapter.toml`); paths in "
            "that file are relative to it. `ADAPTER_DEBUG=1` adds a traceback to an error."
        ),
        "",
    ]
    for heading in dict.fromkeys(entry.heading for entry in COMMANDS.values()):
        lines += [f"## {heading}", ""]
        for name, entry in COMMANDS.items():
            if entry.heading == heading:
                lines += command_lines(f"adapter {name}", load(name))
    return "\n".join(lines).rstrip() + "\n"


def command_lines(path: str, command: Any) -> Iterator[str]:
    subcommands = getattr(command, "commands", None)
    if subcommands:
        for name, each in subcommands.items():
            yield from command_lines(f"{path} {name}", each)
        return
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option"]
    usage = [path, *(argument_word(each) for each in arguments)]
    yield f"### `{' '.join(usage)}`"
    yield ""
    yield from paragraphs(command.help or "")
    rows = [(f"`{argument_word(each)}`", each.help or "") for each in arguments]
    rows += [(f"`{option_words(each)}`", option_help(each)) for each in options if not_help(each)]
    if rows:
        yield "| | |"
        yield "|---|---|"
        yield from (f"| {left} | {right} |" for left, right in rows)
        yield ""


def argument_word(argument: Any) -> str:
    word = argument.metavar or argument.name.upper()
    if argument.nargs == -1:
        word = f"{word}…"
    return word if argument.required else f"[{word}]"


def not_help(option: Any) -> bool:
    return "--help" not in option.opts


def option_words(option: Any) -> str:
    names = sorted({*option.opts, *option.secondary_opts}, key=len, reverse=True)
    words = ", ".join(names)
    if option.is_flag:
        return words
    annotation = option.type_descriptor.annotation
    choices = get_args(annotation) if get_origin(annotation) is Literal else ()
    return f"{words} {', '.join(choices) or option.metavar or option.name.upper()}"


def option_help(option: Any) -> str:
    text = (option.help or "").strip()
    default = option.default
    if option.required:
        return f"{text} Required."
    if option.is_flag or default is None or callable(default) or default in ([], ()):
        return text
    return f"{text} Default: `{default}`."


def paragraphs(text: str) -> Iterator[str]:
    """The paragraphs of a help text; examples of commands become one block to copy."""
    parts = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text.strip())]
    for examples, group in itertools.groupby(parts, lambda part: part.startswith("adapter ")):
        if examples:
            yield from ("```sh", *group, "```", "")
            continue
        for part in group:
            if part not in ("Example:", "Examples:"):
                yield from (*wrapped(part), "")


def wrapped(text: str, width: int = 100) -> list[str]:
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return [*lines, line]


def configuration_page() -> str:
    tables: list[tuple[str, str, type[BaseModel]]] = [
        ("At the top", "", config.Config),
        ("`[store]`", "Where everything durable lives.", config.StoreTable),
        ("`[server]`", "The HTTP face: FHIR API, secure links.", config.ServerTable),
        ("`[smtp]`", "Where e-mail of subscriptions goes out.", config.SmtpTable),
        ("`[plugins]`", "The allow-list: installed is not enabled.", config.PluginsTable),
        ("`[mappings]`", "Mapping packs of your own.", config.MappingsTable),
        ("`[routing]`", "How a referral finds its program.", config.RoutingTable),
        ("`[sites.NAME]`", "One connection to one peer.", config.SiteTable),
    ]
    lines = [NOTE, "", "# Configuration", ""]
    lines += [
        *wrapped(
            "One file, `adapter.toml`; `adapter init DIR` writes one with comments. Unknown keys "
            "are errors, and an error names the key and what was expected, never the value. Paths "
            "are relative to the file. A secret is a reference: `env:NAME` (an environment "
            "variable) or `file:PATH`."
        ),
        "",
        *wrapped(
            "The settings of a site, `[sites.NAME.settings]`, belong to its plugin and are "
            "explained on its page ([hl7v2](plugins/hl7v2.md), [link](plugins/link.md), "
            "[fhir](plugins/fhir.md)) and by `adapter plugins show NAME`."
        ),
        "",
    ]
    for title, text, model in tables:
        lines += [f"## {title}", "", *([text, ""] if text else [])]
        lines += [*setting_rows(model), ""]
    lines += [
        "## Programs",
        "",
        "The file that `[routing] programs` names: one `[[program]]` table for each program.",
        "",
        *setting_rows(ProgramRow, attributes(Program.__doc__ or "")),
        "",
    ]
    return "\n".join(lines).rstrip() + "\n"


def setting_rows(model: type[BaseModel], meanings: Mapping[str, str] = {}) -> Iterator[str]:
    yield "| key | type | default | |"
    yield "|---|---|---|---|"
    for name, field in model.model_fields.items():
        if field.exclude or is_table(field.annotation):
            continue
        meaning = field.description or meanings.get(name.removesuffix("_en").removesuffix("_fr"))
        yield f"| `{name}` | {type_words(field)} | {default_words(field)} | {meaning or ''} |"


def attributes(docstring: str) -> dict[str, str]:
    """What a docstring says under Attributes, by name."""
    section = docstring.partition("Attributes:")[2]
    found = re.findall(r"^ +(\w+): (.+?)(?=\n +\w+: |\Z)", section, re.M | re.S)
    return {name: " ".join(text.split()).rstrip(".") for name, text in found}


def is_table(annotation: Any) -> bool:
    if get_origin(annotation) is dict:
        return any(is_table(each) for each in get_args(annotation))
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def type_words(field: FieldInfo) -> str:
    return one_type(field.annotation)


def one_type(annotation: Any) -> str:
    arguments = [each for each in get_args(annotation) if each is not type(None)]
    origin = get_origin(annotation)
    if origin is tuple:
        return "list of text"
    if origin is dict:
        return "table"
    if str(origin).startswith("typing.Literal"):
        return ", ".join(f"`{each}`" for each in arguments)
    if arguments:
        return one_type(arguments[0])
    return {str: "text", int: "number", bool: "true or false"}.get(annotation, "text")


def default_words(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default_factory is not None or field.default in (None, ()):
        return ""
    value = field.default
    if isinstance(value, tuple):
        return ", ".join(f"`{each}`" for each in value)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


KINDS = {
    "ConfigError": "the configuration is wrong; a person must edit it (exit code 3)",
    "PluginError": "a plugin is missing, failed, or broke its contract (exit code 3)",
    "StoreError": "the store could not do it; nothing of the work was kept (exit code 4)",
    "TransientError": "a peer could not take it now; it is tried again (exit code 5)",
    "SystemFault": "a peer broke its own contract; it is tried again (exit code 5)",
    "AuthError": "a peer refused our credentials; the site waits for a person (exit code 5)",
    "GoneError": "the destination says that it no longer exists (exit code 5)",
    "DataError": "this one message or request is wrong; others go on (exit code 1)",
    "AdapterError": "something that a person can act on (exit code 1)",
    "Refusal": "a message was not taken; its sender was told and keeps it",
    "Problem": "a message was not taken, or is odd; its sender was told",
    "Refused": "a change that somebody asked for is not allowed now; nothing changed",
}


def errors_page() -> str:
    found = error_codes()
    lines = [NOTE, "", "# Errors", ""]
    lines += [
        *wrapped(
            "Every error has a word code, a message, and what to do about it. Commands print them "
            "on stderr; `adapter inbox list`, `adapter deliveries list` and `adapter sites list` "
            "show those of messages, deliveries and sites. No error repeats a value of a message. "
            "Below, … stands for what is named there, such as a site or a setting."
        ),
        "",
        "`internal.error` is a fault of the adapter itself: run the command again with",
        "`ADAPTER_DEBUG=1` and report what it prints, after removing anything about a person.",
        "",
    ]
    for room in dict.fromkeys(code.partition(".")[0] for code in found):
        lines += [f"## {room}", ""]
        for code, each in found.items():
            if code.partition(".")[0] == room:
                lines += error_lines(each)
    return "\n".join(lines).rstrip() + "\n"


def error_lines(found: Found) -> Iterator[str]:
    yield f"### {found.code}"
    yield ""
    yield from wrapped("Kind: " + "; or ".join(KINDS[each] for each in found.kinds) + ".")
    yield ""
    if found.messages:
        yield from wrapped("Says: " + " Or: ".join(found.messages))
        yield ""
    if found.fixes:
        yield from wrapped("Fix: " + " Or: ".join(found.fixes))
        yield ""


PAGES = {
    "command-line.md": command_page,
    "configuration.md": configuration_page,
    "errors.md": errors_page,
}


def main() -> int:
    for name, build in PAGES.items():
        (REFERENCE / name).write_text(build(), "utf-8")
        print(f"wrote docs/reference/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
