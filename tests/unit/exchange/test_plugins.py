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

    def __init__(self, name: str, module: ModuleType | BaseException) -> None:
        self.name = name
        self.value = name
        self._module = module

    def load(self) -> ModuleType:
        if isinstance(self._module, BaseException):
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
        (SystemExit(1), "SystemExit"),
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


def test_a_name_that_two_distributions_bring_is_given_to_one_and_told(monkeypatch) -> None:
    found = load(monkeypatch, None, Point("good", GOOD), Point("good", GOOD))

    assert [(each.state, each.code) for each in found.loaded] == [
        ("enabled", ""),
        ("failed", "plugin.double"),
    ]


def test_no_plugin_takes_the_name_of_another_that_is_installed(monkeypatch) -> None:
    thief = module("aaa", register_systems=[SystemSpec(name="working", system=Working, summary="")])
    found = load(monkeypatch, None, Point("aaa", thief), Point("working", GOOD))

    assert {each.name: each.state for each in found.loaded} == {
        "aaa": "failed",
        "working": "enabled",
    }


def test_every_failure_says_what_to_do(monkeypatch) -> None:
    bad = [Point("a", RuntimeError("boom")), Point("b", module("b", register_system=[]))]

    for each in load(monkeypatch, ["a", "b", "ghost"], *bad).loaded:
        assert each.state == "failed"
        assert each.code.startswith("plugin.")
        assert each.fix


def test_what_a_broken_plugin_said_is_not_repeated(monkeypatch) -> None:
    found = load(monkeypatch, None, Point("bad", RuntimeError("password hunter2")))

    assert "hunter2" not in repr(found.loaded)


def test_a_plugin_that_is_enabled_but_missing_is_said_so(monkeypatch) -> None:
    found = load(monkeypatch, ["ghost"])

    assert [(each.name, each.state) for each in found.loaded] == [("ghost", "failed")]
    assert "not installed" in found.loaded[0].reason
