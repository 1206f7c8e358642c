"""Plugins that misbehave, as distributions in a folder of the test's own, found by entry points.

`install` writes what pip would: the module, and the metadata with its entry point.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

HEAD = """
from __future__ import annotations
import asyncio, os, sys, time
from adapter.plugin import (
    FULL, Capabilities, ConfigError, Delivered, HttpEndpoint, Inbound, System, SystemConfig,
    SystemSpec, hookimpl,
)
from pydantic import Field, SecretStr
"""


def install(folder: Path, name: str, source: str) -> None:
    """One distribution `bad-NAME` 1.0 with a module ``bad_NAME``."""
    module = "bad_" + name.replace("-", "_")
    text = HEAD + f"NAME = {name!r}\n" + textwrap.dedent(source)
    (folder / f"{module}.py").write_text(text)
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: bad-{name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[adapter.plugins]\n{name} = {module}\n")


AT_LOAD: dict[str, tuple[str, str]] = {
    # name: (source, the word code of what it is told for)
    "imports": ('raise RuntimeError("password PLANTED-1234")', "plugin.import-failed"),
    "syntax": ("def broken(:\n", "plugin.import-failed"),
    "exits": ("sys.exit(3)", "plugin.import-failed"),
    "sleeps": ("time.sleep(60)", "plugin.blocks"),
    "sleeps-in-hook": (
        "@hookimpl\ndef register_systems():\n    time.sleep(60)\n",
        "plugin.blocks",
    ),
    "wrong-type": (
        '@hookimpl\ndef register_systems():\n    return ["text"]\n',
        "plugin.wrong-type",
    ),
    "no-list": ("@hookimpl\ndef register_systems():\n    return 42\n", "plugin.wrong-type"),
    "misspelt": ("@hookimpl\ndef register_sistems():\n    return []\n", "plugin.unknown-hook"),
    "newer": (
        "@hookimpl\ndef register_systems():\n"
        '    return [SystemSpec(name="newer", system="x:Y", summary="", api_version=99)]\n',
        "plugin.api-version",
    ),
    "double": (
        "@hookimpl\ndef register_systems():\n"
        '    return [SystemSpec(name="reference", system="x:Y", summary="")]\n',
        "plugin.double",
    ),
    "no-class": (
        "@hookimpl\ndef register_systems():\n"
        '    return [SystemSpec(name="no-class", system="bad_no_class:Gone", summary="")]\n',
        "plugin.not-a-system",
    ),
    "lacks": (
        "class Bad(System):\n"
        "    name = NAME\n"
        "    capabilities = Capabilities(delivers=FULL)\n"
        "    async def check(self):\n        return []\n"
        "@hookimpl\ndef register_systems():\n"
        '    return [SystemSpec(name=NAME, system=Bad, summary="")]\n',
        "plugin.declares-what-it-lacks",
    ),
}
"""Plugins that are broken before they do anything."""

RUNNING = """
class BadConfig(SystemConfig):
    mode: str = Field(default="", description="what it does wrong")
    key: SecretStr = Field(default=SecretStr(""), description="a secret")

HOARD = []

async def hold_the_loop():
    await asyncio.sleep(0.1)
    time.sleep(60)

async def hoard():
    while True:
        HOARD.append(b"x" * (4 * 1024 * 1024))
        await asyncio.sleep(0.05)

async def app(scope, receive, send):
    time.sleep(60)

class Bad(System):
    name = NAME
    Config = BadConfig
    capabilities = Capabilities(
        receives=FULL, polls=FULL, delivers=FULL, outbound_kinds={"request": "request"},
    )

    async def check(self):
        return ["nonsense"]

    def endpoints(self):
        if self.mode == "endpoints-raise":
            raise KeyError("PLANTED-1234")
        return [HttpEndpoint(app)]

    @property
    def mode(self):
        return self.config.mode

    async def open(self):
        secret = self.config.key.get_secret_value()
        if self.mode == "open-raises":
            raise RuntimeError(secret)
        if self.mode == "open-tells":
            raise ConfigError("bad.config", "it is " + secret, fix="use " + secret)
        if self.mode == "open-blocks":
            time.sleep(60)
        if self.mode == "open-waits":
            await asyncio.Event().wait()
        if self.mode == "task-blocks":
            self.task = asyncio.create_task(hold_the_loop())
        if self.mode == "leaks":
            self.task = asyncio.create_task(hoard())
        if self.mode == "prints":
            print("the key is", secret)
            print("the key is", secret, file=sys.stderr)
            self.context.log.info("bad.opened", key=secret, all=[secret])

    async def poll(self, cursor):
        if self.mode == "poll-blocks":
            time.sleep(60)
        if self.mode == "poll-raises":
            raise RuntimeError("PLANTED-1234")
        if self.mode == "poll-wrong":
            yield "no message", 7
        if self.mode == "poll-cancels":
            raise asyncio.CancelledError
        if self.mode == "poll-exits":
            sys.exit(3)
        return
        yield

    async def deliver(self, message):
        if self.mode == "deliver-blocks":
            time.sleep(60)
        if self.mode == "deliver-exits":
            os.sys.exit(3)
        if self.mode == "deliver-wrong":
            return "delivered"
        if self.mode == "deliver-worker-dies":
            await self.context.offload(os._exit, 1)
        return Delivered(external_ids={"message": "1"})

@hookimpl
def register_systems():
    return [SystemSpec(name=NAME, system=Bad, summary="It misbehaves.")]
"""
