"""Where the demonstration runs: a folder with a configuration, and a store."""

from __future__ import annotations

import base64
import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from adapter.cli import init

if TYPE_CHECKING:
    from adapter.store.store import Store

SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True)
class Setting:
    """The folder, the store's URL if it is not the usual one, and the mail server's port."""

    folder: Path
    db: str | None
    smtp_port: int

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "adapter.toml"

    @property
    def log(self) -> Path:
        """What the children write to stderr."""
        return self.folder / "demo.log"

    @property
    def serve(self) -> tuple[str, ...]:
        """The arguments of the service."""
        return ("serve", "--config", str(self.config), "--json", "--log-level", "WARNING")

    def write(self, *, answers_port: int) -> None:
        """Write the loop's configuration with the ports of this run."""
        (self.folder / "adapter.key").unlink(missing_ok=True)
        init.write(self.folder, example=True, answers_port=answers_port, smtp_port=self.smtp_port)
        if self.db:
            address = self.folder / "store-address"  # it may hold a password: not in the file
            address.touch(0o600)
            address.write_text(self.db, "utf-8")
            text = self.config.read_text("utf-8")
            text = text.replace("sqlite:///adapter.sqlite3", "file:store-address")
            self.config.write_text(text, "utf-8")
            self._write_lasting_key()

    def open_store(self) -> Store:
        """The service's store, for reading beside it."""
        from adapter.exchange.config import load_config
        from adapter.exchange.store_settings import store_keyring, store_url
        from adapter.store.store import Store

        config = load_config(self.config)
        keyring = store_keyring(config)
        return Store.open(store_url(config), keyring, create=False)

    def _write_lasting_key(self) -> None:
        """A key that follows from the URL, so that the demonstration can run there again.

        It protects nothing, and needs not: everything here is invented. A store that holds anything
        real has another key, and refuses this one.
        """
        digest = hashlib.sha256(f"demonstration {self.db}".encode()).digest()
        (self.folder / "adapter.key").write_text(base64.b64encode(digest).decode() + "\n", "ascii")


def prepare(db: str | None, *, smtp_port: int) -> Setting:
    """A new folder; for a SQLite file of one's own, the folder of that file."""
    if db is None or not db.startswith(SQLITE):
        if db is not None and not db.startswith("postgresql://"):
            raise typer.BadParameter("expected sqlite:///FILE or postgresql://…", param_hint="--db")
        return Setting(Path(tempfile.mkdtemp(prefix="adapter-demo-")), db, smtp_port)
    file = Path(db.removeprefix(SQLITE)).resolve()
    if (file.parent / "adapter.toml").exists() and not (file.parent / "demo.log").exists():
        raise typer.BadParameter(
            f"{file.parent} holds a configuration of your own; give another folder",
            param_hint="--db",
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    return Setting(file.parent, SQLITE + file.name, smtp_port)
