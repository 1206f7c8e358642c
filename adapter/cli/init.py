"""`adapter init`: a configuration to start from."""

from __future__ import annotations

import shlex
import socket
import sys
from importlib import resources
from pathlib import Path
from string import Template
from typing import Annotated, Literal

import typer

from adapter.cli.printing import JsonOption, emit, program, say
from adapter.plugin import durable_files


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A new folder, or one that is empty.")
    ],
    example: Annotated[
        Literal["loop"] | None,
        typer.Option(help="loop: a clinic and an agency, complete, in test mode."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a commented adapter.toml, a directory of programs, a key and an empty store.

    Example:

      adapter init try-it --example loop
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise typer.BadParameter(
            f"{folder} is not an empty folder; nothing was written", param_hint="DIR"
        )
    durable_files.make_folder(folder)
    ports = free_ports(2)
    files = write(folder, example=example == "loop", answers_port=ports[0], smtp_port=ports[1])
    make_store(folder / "adapter.toml")
    steps = _next_steps(folder, ports if example else None)
    if as_json:
        emit({"folder": str(folder), "files": [str(each) for each in files], "next": steps})
        return
    for each in files:
        typer.echo(f"Wrote {each}")
    say("\nNext:")
    for step in steps:
        say(f"  {step}")


def write(folder: Path, *, example: bool, answers_port: int, smtp_port: int) -> list[Path]:
    """Write the files of a configuration; what was written, the configuration first.

    It is written last: where there is one, all that it names is there.
    """
    programs = template("programs.toml" if example else "programs-empty.toml")
    text = Template(template("loop.toml" if example else "empty.toml")).substitute(
        answers_port=answers_port, smtp_port=smtp_port
    )
    write_key(folder / "adapter.key")
    durable_files.write(folder / "programs.toml", programs.encode())
    durable_files.write(folder / "adapter.toml", text.encode())
    return [folder / name for name in ("adapter.toml", "programs.toml", "adapter.key")]


def make_store(config: Path) -> None:
    """An empty store, as the configuration says.

    Raises:
        StoreError: it cannot be made.
    """
    from adapter.exchange.config import load_config
    from adapter.exchange.store_settings import store_keyring, store_url
    from adapter.store.store import Store

    settings = load_config(config)
    keyring = store_keyring(settings)
    Store.open(store_url(settings), keyring).close()


def template(name: str) -> str:
    """A shipped template."""
    return (resources.files("adapter.cli") / "templates" / name).read_text("utf-8")


def write_key(file: Path) -> None:
    """A new keyring that only this user can read.

    It is on the disk before anything is sealed with it: without it, what was acknowledged would be
    lost with the first power cut.
    """
    from adapter.security.keyring import Keyring

    durable_files.write(file, Keyring.generate().to_text().encode("ascii"), mode=0o600)


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nothing listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _next_steps(folder: Path, ports: list[int] | None) -> list[str]:
    config = shlex.quote(str(folder / "adapter.toml"))
    if ports is None:
        return [
            f"edit {config}: organization, sites",
            f"{program()} sites check --config {config}",
            f"{program()} serve --config {config}",
        ]
    return [
        f"{program()} serve --config {config}",
        f"{program()} sites check --config {config}",
        f"the agency's e-mail goes to 127.0.0.1:{ports[1]}; to see it: "
        f"{shlex.quote(sys.executable)} -m aiosmtpd -n -l 127.0.0.1:{ports[1]}",
        f"the clinic's answers go to an MLLP listener on 127.0.0.1:{ports[0]}",
    ]
