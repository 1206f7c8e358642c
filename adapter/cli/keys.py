"""`adapter keys`: the keys that encrypt what is stored; list them, rotate them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapter.cli.printing import JsonOption, emit, say, table
from adapter.cli.progress import Progress
from adapter.cli.reading import opened
from adapter.cli.settings import DEFAULT, ConfigOption, read

if TYPE_CHECKING:
    from adapter.exchange.config import Config
    from adapter.security.keyring import Keyring
    from adapter.store.store import Store

SETTLED_SECONDS = 120.0

app = typer.Typer(
    help="The keys that encrypt what is stored: list, rotate.",
    no_args_is_help=True,
)


@app.command("list")
def list_keys(config: ConfigOption = DEFAULT, as_json: JsonOption = False) -> None:
    """List the encryption keys by id, and how many data keys each of them wraps.

    Never shows a key. Each referral has a data key of its own; a key that wraps none can be
    forgotten: `adapter keys rotate --forget`.

    Example:

      adapter keys list
    """
    from adapter.exchange.store_settings import store_keyring
    from adapter.store.rotation import uses

    settings = read(config)
    keyring = store_keyring(settings)
    with opened(settings) as store:
        used = store.read_now(uses)
    rows = _rows(keyring, used)
    if as_json:
        emit(rows)
        return
    table(("id", "active", "data_keys"), rows)


@app.command()
def rotate(
    config: ConfigOption = DEFAULT,
    forget: Annotated[
        bool,
        typer.Option(
            "--forget",
            help="Make no new key; finish a rotation, and remove from the key file what wraps "
            "nothing any more.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done; change nothing.")
    ] = False,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes", "-y", help="Do not ask before a key is forgotten; a script needs it."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Put a new key first into the key file, and rewrap every data key while the service runs.

    If it is interrupted, run it again: it goes on where it was. If somebody else changes the key
    file at the same time, one of the two is told so and changes nothing. Running processes learn
    the new key from the file. A key that is forgotten makes older backups unreadable: keep a copy
    of the old key file with them for as long as you keep them. Somebody must say yes to that, or
    --yes.

    Examples:

      adapter keys rotate --dry-run

      adapter keys rotate
    """
    from adapter.exchange.store_settings import store_keyring
    from adapter.store.rotation import uses

    settings = read(config)
    keyring = store_keyring(settings)
    with opened(settings) as store:
        used = store.read_now(uses)
    waiting = sum(number for name, number in used.items() if name != keyring.active)
    if dry_run:
        _tell(_rows(keyring, used), _plan(keyring, waiting, forget), as_json)
        return
    if not waiting and not forget:
        keyring = _with_new_key(settings, keyring)
    with opened(settings) as store:
        changed = _rewrap(store)
        used = store.read_now(uses)
    said = f"{changed} data keys were wrapped with {keyring.active}."
    if forget:
        before = keyring.ids
        keyring = _forgotten(settings, keyring, used, yes=yes)
        gone = [each for each in before if each not in keyring.ids]
        said = f"{said} Forgotten: {', '.join(gone) or 'none'}."
    else:
        said = f"{said} Copy the key file now: backups from now on need it."
    _tell(_rows(keyring, used), said, as_json)


def _plan(keyring: Keyring, waiting: int, forget: bool) -> str:
    """What a run would do, in words."""
    if not waiting and not forget:
        return f"It would put a new key before {keyring.active}."
    said = f"It would wrap {waiting} data keys with {keyring.active}"
    others = ", ".join(each for each in keyring.ids if each != keyring.active)
    return f"{said}, then ask whether to forget {others}." if forget and others else f"{said}."


def _with_new_key(config: Config, keyring: Keyring) -> Keyring:
    from adapter.exchange.store_settings import store_keyring
    from adapter.plugin.errors import ConfigError
    from adapter.security.key_file import replace

    if not config.store.key.startswith("file:"):
        raise ConfigError(
            "keys.not-a-file",
            "the keys come from an environment variable, which this command cannot change",
            fix="Put a new key (32 random bytes as base64) before the others in the variable, "
            "start every process with it, then run this command again.",
        )
    replace(_file(config), keyring.rotated(), known=keyring)
    return store_keyring(config)


def _rewrap(store: Store) -> int:
    from adapter.store.rotation import rewrap

    progress = Progress()
    return rewrap(store, progress=lambda done: progress("data keys", done))


def _forgotten(config: Config, keyring: Keyring, used: Mapping[str, int], *, yes: bool) -> Keyring:
    from adapter.security.key_file import replace
    from adapter.store.rotation import uses

    idle = [each for each in keyring.ids if each != keyring.active and not used.get(each)]
    if not idle or not config.store.key.startswith("file:"):
        return keyring
    _prove_settled(_file(config))
    if not yes:
        typer.confirm(
            f"Forget {', '.join(idle)}? Backups made before this rotation cannot be read without "
            "a copy of the old key file.",
            abort=True,
            err=True,
        )
    with opened(config) as store:
        used = store.read_now(uses)  # whoever was asked may have thought about it for long
    left = keyring
    for each in idle:
        if not used.get(each):
            left = left.without(each)
    replace(_file(config), left, known=keyring)
    return left


def _prove_settled(file: Path) -> None:
    """Every running process looks into the key file each minute; until then it may seal with the
    key that is to go."""
    from adapter.plugin.errors import ConfigError

    if time.time() - file.stat().st_mtime < SETTLED_SECONDS:
        raise ConfigError(
            "keys.too-early",
            "the key file was changed a moment ago, and a running process may still use the old"
            " key; nothing was forgotten",
            fix="Run `adapter keys rotate --forget` again in two minutes.",
        )


def _file(config: Config) -> Path:
    return config.folder / config.store.key.partition(":")[2]


def _rows(keyring: Keyring, used: Mapping[str, int]) -> list[dict[str, Any]]:
    return [
        {"id": each, "active": each == keyring.active, "data_keys": used.get(each, 0)}
        for each in keyring.ids
    ]


def _tell(rows: list[dict[str, Any]], words: str, as_json: bool) -> None:
    if as_json:
        emit(rows)
        return
    say(words)
    table(("id", "active", "data_keys"), rows)
