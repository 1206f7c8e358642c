"""`adapter`: the command line. Each command's module is imported only when it is called.

The table below is all that `adapter --help` needs, so that help comes at once; it is checked
against the modules by the tests.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from adapter import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

EPILOG = (
    "Exit codes: 0 done; 1 done, and something did not pass; 2 wrong use; 3 configuration; "
    "4 store; 5 a peer could not be reached; 130 interrupted. "
    "Every error has a word code, explained in docs/reference/errors.md."
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One command: where it lives, under which heading, and what the list says of it."""

    module: str
    attribute: str
    heading: str
    summary: str


_TRY, _RUN, _KEEP, _LOOK, _MESSAGES, _PLUGINS = (
    "Try it",
    "Run it",
    "Keep it sound",
    "Look at what it does",
    "Work with messages, without a store",
    "Write a plugin",
)

COMMANDS: dict[str, Entry] = {
    "demo": Entry(
        "demo", "demo", _TRY, "Run the whole loop on this machine, with every step shown."
    ),
    "init": Entry("init", "init", _RUN, "Write a commented configuration into a new folder."),
    "serve": Entry("serve", "serve", _RUN, "Run listeners, the FHIR API, pages and delivery."),
    "worker": Entry("worker", "worker", _RUN, "Deliver beside others that share a PostgreSQL."),
    "sites": Entry("sites", "app", _RUN, "The configured connections: list, check, pause."),
    "doctor": Entry("doctor", "doctor", _KEEP, "Look at everything, and say what to do."),
    "db": Entry("db", "app", _KEEP, "The store: upgrade, back up, restore, check."),
    "keys": Entry("keys", "app", _KEEP, "The keys that encrypt what is stored: list, rotate."),
    "audit": Entry("audit", "app", _KEEP, "The audit: verify that nothing was rewritten, export."),
    "clients": Entry("clients", "app", _RUN, "Who may use the FHIR API: add, list, disable."),
    "inbox": Entry("inbox", "app", _LOOK, "What arrived, and what was refused or set aside."),
    "referrals": Entry("referrals", "app", _LOOK, "Referrals, and the journey of each."),
    "programs": Entry(
        "programs", "app", _LOOK, "What the community offers, and how much room there is."
    ),
    "deliveries": Entry("deliveries", "app", _LOOK, "What goes out, and what is stuck."),
    "convert": Entry("convert", "convert", _MESSAGES, "Map messages from one format to another."),
    "explain": Entry(
        "explain", "explain", _MESSAGES, "Which row made each value, and what was lost."
    ),
    "validate": Entry(
        "validate", "validate", _MESSAGES, "Check FHIR resources and HL7 v2 messages."
    ),
    "mappings": Entry("mappings", "app", _MESSAGES, "Check mapping tables and test their laws."),
    "plugins": Entry(
        "plugins", "app", _PLUGINS, "Installed plugins: list, show and check them, start a new one."
    ),
    "conform": Entry(
        "conform", "conform", _PLUGINS, "Run the conformance kit against one plugin; no set-up."
    ),
}


class LazyCommands(TyperGroup):
    """The root group: lists commands from the table, imports one when it is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A stand-in that knows its one line of help."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        return TyperCommand(cmd_name, help=entry.summary, short_help=entry.summary)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list of commands under their headings."""
        for heading in dict.fromkeys(entry.heading for entry in COMMANDS.values()):
            with formatter.section(heading):
                formatter.write_dl(
                    [
                        (n, entry.summary)
                        for n, entry in COMMANDS.items()
                        if entry.heading == heading
                    ]
                )

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The real command, imported now; a word that is none of ours may be a plugin."""
        word = args[0] if args else ""
        if word not in COMMANDS and not word.startswith("-"):
            from adapter.cli.plugin_commands import group_of

            group = group_of(word)
            if group is not None:
                return word, group, args[1:]
        self.commands = {each: self.get_command(ctx, each) for each in COMMANDS}  # to suggest from
        name, found, rest = super().resolve_command(ctx, args)
        return name, load(name) if name and found else found, rest

    def invoke(self, ctx: Any) -> Any:
        """Run; an error becomes a message, a fix and an exit code."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            from adapter.cli.failure import is_ours, report

            if not is_ours(error):
                raise
            raise typer.Exit(report(error)) from error


def load(name: str) -> Any:
    """Import a command: a Typer application as it is, a function wrapped as one command."""
    entry = COMMANDS[name]
    found = getattr(importlib.import_module(f"adapter.cli.{entry.module}"), entry.attribute)
    if isinstance(found, typer.Typer):
        found.rich_markup_mode = None
        command: Any = typer.main.get_group(found)
    else:
        application = typer.Typer(add_completion=False, rich_markup_mode=None)
        application.command(name)(found)
        command = typer.main.get_command(application)
    command.name = name
    return command


app = typer.Typer(
    name="adapter",
    cls=LazyCommands,
    help="Carries social prescriptions from a clinic's EMR to a community program, and the "
    "answer back. Start with: adapter demo",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain text: rich would cost twice the time of all the rest
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"adapter {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Say the version."),
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def main(args: Sequence[str] | None = None) -> None:
    """The entry point of the `adapter` command. Ends the process with a documented exit code."""
    app(args=list(args) if args is not None else None, prog_name="adapter")
