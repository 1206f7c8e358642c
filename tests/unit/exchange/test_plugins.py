"""Loading plugins: each on its own, the broken ones named, the others unharmed."""

from __future__ import annotations

from importlib import metadata
from types import ModuleType
from typing import Any

import pytest

from adapter.exchange import plugins as loader
from adapter.plugin import System, SystemSpec, hookimpl
from adapter.plugin.errors import PluginError


class Point:
    """An entry point that stands for an installed plugin."""

    dist = None

    def __init__(self, name: str, module: ModuleType | Exception) -> None:
        self.name = name
        self._module = module

    def load(self) -> ModuleType:
        if isinstance(self._module, Exception):
            raise self._module
        return self._module


class Working(System):
    name = "working"

    async def check(self) -> list[Any]:
        return []


def module(name: str, **hooks: Any) -> ModuleType:
    made = ModuleType(name)
    for hook, result in hooks.items():
        setattr(made, hook, hookimpl(_returning(result)))
    return made


def _returning(result: Any) -> Any:
    def call() -> Any:
        return result

    return call


def load(monkeypatch: pytest.MonkeyPatch, enabled: list[str] | None, *points: Point) -> Any:
    monkeypatch.setattr(metadata, "entry_points", lambda *, group: list(points))
    return loader.load_plugins(enabled)


GOOD = module(
    "good",
    register_systems=[SystemSpec(name="working", system=Working, summary="It works.")],
)


def test_installed_is_not_enabled(monkeypatch) -> None:
    found = load(monkeypatch, [], Point("good", GOOD))

    assert [each.state for each in found.loaded] == ["installed"]
    with pytest.raises(PluginError, match="no enabled plugin"):
        found.system("working")


def test_an_enabled_plugin_brings_its_systems(monkeypatch) -> None:
    found = load(monkeypatch, ["good"], Point("good", GOOD))

    assert found.system("working") is Working


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (ImportError("no such thing"), "ImportError"),
        (RuntimeError("boom"), "RuntimeError"),
        (module("wrong", register_systems=["text"]), "str"),
        (module("worse", register_systems=42), "list"),
        (module("format", register_formats=[object()]), "format"),
        (module("misspelt", register_system=[]), "unknown hook"),
        (
            module(
                "newer",
                register_systems=[SystemSpec(name="n", system=Working, summary="", api_version=99)],
            ),
            "plugin API 99",
        ),
        (
            module(
                "twice",
                register_systems=[
                    SystemSpec(name="same", system=Working, summary=""),
                    SystemSpec(name="same", system=Working, summary=""),
                ],
            ),
            "already there",
        ),
    ],
)
def test_a_broken_plugin_is_named_and_the_good_one_runs(monkeypatch, broken, reason) -> None:
    points = [Point("bad", broken), Point("good", GOOD)]

    found = load(monkeypatch, ["bad", "good"], *points)

    states = {each.name: each for each in found.loaded}
    assert states["bad"].state == "failed"
    assert reason in states["bad"].reason
    assert states["good"].state == "enabled"
    assert found.system("working") is Working


def test_a_plugin_that_is_enabled_but_missing_is_said_so(monkeypatch) -> None:
    found = load(monkeypatch, ["ghost"])

    assert [(each.name, each.state) for each in found.loaded] == [("ghost", "failed")]
    assert "not installed" in found.loaded[0].reason
