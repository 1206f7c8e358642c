"""The formats and packs that the message commands work with."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from adapter.mapping.packs import Packs
    from adapter.plugin.errors import DataError
    from adapter.plugin.formats import Format

STDIN = "-"


def installed_formats() -> Mapping[str, Format]:
    """Every format of this installation, whether a configuration enables its plugin or not."""
    from adapter.exchange.packs import formats_of
    from adapter.exchange.plugins import load_plugins

    return formats_of(load_plugins(None))


def packs_for(formats: Mapping[str, Format], pack: str | None, *, compiled: bool = False) -> Packs:
    """The packs, with the one that `--pack` names before the others.

    Raises:
        PackError: a table has a fault. BadParameter: there is no such pack.
    """
    from adapter.exchange.packs import sound_packs
    from adapter.exchange.plugins import load_plugins

    folder = pack is not None and Path(pack, "pack.toml").is_file()
    overrides = [Path(str(pack))] if folder else []
    plugins = load_plugins(None)
    packs = sound_packs(plugins, formats, overrides=overrides, compiled=compiled, checked=folder)
    if pack is None:
        return packs
    name = next((p.name for p in packs.packs.values() if folder and str(p.root) == pack), pack)
    if name not in packs.packs:
        raise typer.BadParameter(
            f"there is no pack {pack}; there are: {', '.join(sorted(packs.packs))}"
        )
    return packs.preferring(name)


def format_named(formats: Mapping[str, Format], name: str, option: str) -> Format:
    """A format by its name; BadParameter names those that there are."""
    found = formats.get(name)
    if found is None:
        known = ", ".join(sorted(formats))
        raise typer.BadParameter(f"{option} {name}: no such format; there are: {known}")
    return found


_BLOCK = 1024 * 1024


def messages(source: Format, files: Sequence[str]) -> Iterator[tuple[str, bytes | DataError]]:
    """Each message of the inputs with its name, in order; an error where one is missing.

    A format that can tells them apart while an input is read, so that one that is long need not be
    in memory, and of one that is still being written each message comes as it is whole.
    """
    from adapter.plugin.errors import DataError

    for name in files:
        try:
            with (
                nullcontext(sys.stdin.buffer) if name == STDIN else Path(name).open("rb") as input_
            ):
                for number, part in enumerate(_parts(source, input_), 1):
                    yield f"{name}:{number}", part
        except OSError as error:
            reason = f"{name} cannot be read: {error.strerror}"
            yield name, DataError("input.unreadable", reason, fix="check the name of the file")


def _opened(name: str) -> AbstractContextManager[Any]:
    return nullcontext(sys.stdin.buffer) if name == STDIN else Path(name).open("rb")


def _parts(source: Format, input_: Any) -> Iterator[bytes | DataError]:
    if hasattr(source, "split_blocks"):
        return source.split_blocks(iter(lambda: input_.read1(_BLOCK), b""))  # type: ignore[no-any-return]
    return source.split(input_.read())


def outcome_of(error: Exception) -> dict[str, Any]:
    """An OperationOutcome that says why a message was not converted."""
    from adapter.fhir.outcome import FATAL, Issue, operation_outcome
    from adapter.plugin.errors import AdapterError

    if isinstance(error, AdapterError):
        text = f"{error.message}. {error.fix}" if error.fix else error.message
        return operation_outcome([Issue(FATAL, "processing", "", text, error.code)])
    return operation_outcome([Issue(FATAL, "exception", "", "the message could not be mapped")])
