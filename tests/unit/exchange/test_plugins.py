"""Loading plugins: each on its own, the broken ones named, the others unharmed."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from adapter.exchange import plugins as loader
from adapter.plugin import FULL, Capabilities, System, SystemSpec, hookimpl, hookspecs
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


class Named:
    """The distribution of a point."""

    version = "1.0"

    def __init__(self, name: str) -> None:
        self.name = name


@pytest.mark.parametrize("first", ["social-prescribing-adapter-good", "an-impostor"])
def test_of_two_of_one_name_the_distribution_named_for_it_runs_wherever_it_lies(
    monkeypatch, first: str
) -> None:
    second = {"social-prescribing-adapter-good", "an-impostor"} - {first}
    points = [Point("good", GOOD), Point("good", GOOD)]
    for point, name in zip(points, (first, *second), strict=True):
        point.dist = Named(name)  # type: ignore[assignment]

    found = load(monkeypatch, None, *points)

    assert {each.distribution: each.state for each in found.loaded} == {
        "social-prescribing-adapter-good": "enabled",
        "an-impostor": "failed",
    }


class Form:
    """A format, as far as the loader looks."""

    split = parse = dump = kind = leaves = notation = None

    def __init__(self, name: str) -> None:
        self.name = name


@pytest.mark.parametrize(
    ("hook", "brought"),
    [
        ("register_systems", [SystemSpec(name="good-files", system=Working, summary="")]),
        ("register_formats", [Form("good")]),
        ("register_formats", [Form("good.xml")]),
        ("register_functions", {"good.upper": str.upper}),
        ("register_mapping_packs", [Path("packs") / "good"]),
        ("register_formats", [Form("fhir")]),
        ("register_formats", [Form("csv")]),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_is_named_for_another_is_not_taken_from_it(monkeypatch, hook, brought) -> None:
    thief = module("aaa", **{hook: brought})
    found = load(monkeypatch, None, Point("aaa", thief), Point("good", GOOD))

    states = {each.name: (each.state, each.code) for each in found.loaded}
    assert states == {"aaa": ("failed", "plugin.double"), "good": ("enabled", "")}


@pytest.mark.parametrize(
    ("hook", "brought", "what"),
    [
        ("register_systems", [SystemSpec(name="shared", system=Working, summary="")], "system"),
        ("register_formats", [Form("shared")], "format"),
        ("register_functions", {"shared": str.upper}, "function"),
        ("register_mapping_packs", [Path("packs") / "shared"], "mapping pack"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
@pytest.mark.parametrize("turned", [False, True])
def test_of_two_that_bring_one_name_of_neithers_own_none_is_taken_and_both_name_the_other(
    monkeypatch, hook, brought, what, turned: bool
) -> None:
    points = [Point(name, module(name, **{hook: brought})) for name in ("one", "two")]
    points = points[::-1] if turned else points
    found = load(monkeypatch, None, *points, Point("good", GOOD))

    rows = {each.name: each for each in found.loaded}
    assert rows["good"].state == "enabled"
    for own, other in (("one", "two"), ("two", "one")):
        assert (rows[own].state, rows[own].code) == ("failed", "plugin.double")
        assert f"the {what} shared is brought by the plugin {other}, too" in rows[own].reason
    assert "shared" not in {**found.systems, **found.formats, **found.functions}
    assert found.packs == ()
    if what == "system":
        with pytest.raises(PluginError):
            found.system("shared")


def test_a_plugin_may_bring_whatever_is_named_for_itself(monkeypatch) -> None:
    longer = module(
        "good-clinic",
        register_systems=[SystemSpec(name="good-clinic-files", system=Working, summary="")],
        register_formats=[Form("goodness")],
    )
    found = load(monkeypatch, None, Point("good", GOOD), Point("good-clinic", longer))

    assert [each.state for each in found.loaded] == ["enabled", "enabled"]


@pytest.mark.parametrize(
    "hook",
    ["register_systems", "register_formats", "register_functions", "register_mapping_packs",
     "register_commands"],
)  # fmt: skip
def test_a_hook_that_forgets_to_return_is_told(monkeypatch, hook: str) -> None:
    (plugin,) = load(monkeypatch, None, Point("bad", module("bad", **{hook: None}))).loaded

    assert (plugin.state, plugin.code) == ("failed", "plugin.wrong-type")
    assert f"{hook}() gave nothing back" in plugin.reason


def test_a_plugin_that_marks_no_hook_is_told(monkeypatch) -> None:
    unmarked = ModuleType("bad")
    unmarked.register_systems = list  # type: ignore[attr-defined]
    (plugin,) = load(monkeypatch, None, Point("bad", unmarked)).loaded

    assert (plugin.state, plugin.code) == ("failed", "plugin.no-hooks")


def test_what_is_printed_at_loading_is_not_shown(monkeypatch, capfd) -> None:
    class Loud(Point):
        def load(self) -> ModuleType:
            print("password hunter2")
            print("password hunter2", file=sys.stderr)
            return super().load()

    found = load(monkeypatch, None, Loud("good", GOOD))

    assert [each.state for each in found.loaded] == ["enabled"]
    assert capfd.readouterr() == ("", "")


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


@pytest.mark.parametrize(
    ("written_for", "ours", "state"),
    [(1, 1, "enabled"), (1, 2, "enabled"), (2, 2, "enabled"), (1, 3, "failed"), (4, 3, "failed")],
)
def test_the_api_of_this_version_and_the_one_before_it_are_taken(
    monkeypatch: pytest.MonkeyPatch, written_for: int, ours: int, state: str
) -> None:
    monkeypatch.setattr(hookspecs, "API_VERSION", ours)
    spec = SystemSpec(name="x", system=Working, summary="", api_version=written_for)
    (plugin,) = load(monkeypatch, None, Point("x", module("x", register_systems=[spec]))).loaded

    assert plugin.state == state
    if state == "failed":
        assert plugin.code == "plugin.api-version"
        assert f"plugin API {written_for}, this adapter has {ours}" in plugin.reason


def ping(host: str) -> None:
    """Say that it is there."""


def silent(host: str) -> None: ...


@pytest.mark.parametrize(
    ("commands", "reason"),
    [
        ([ping], "functions by name"),
        ({"ping": "no function"}, "functions by name"),
        ({"Ping It": ping}, "named by a word"),
        ({"ping": silent}, "no docstring"),
    ],
)
def test_commands_that_cannot_be_called_are_refused(
    monkeypatch: pytest.MonkeyPatch, commands: Any, reason: str
) -> None:
    point = Point("x", module("x", register_commands=commands))
    (plugin,) = load(monkeypatch, None, point).loaded

    assert (plugin.state, plugin.code) == ("failed", "plugin.wrong-type")
    assert reason in plugin.reason


def resolving(**known: Any) -> ModuleType:
    made = ModuleType("resolving")

    def resolve_secret(reference: str) -> Any:
        found = known.get(reference.replace(":", "_"))
        if isinstance(found, BaseException):
            raise found
        return found

    made.resolve_secret = hookimpl(resolve_secret)  # type: ignore[attr-defined]
    return made


def test_the_first_plugin_that_knows_a_secret_is_believed_and_only_enabled_ones_are_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    points = [
        Point("a", resolving(other_x="no")),
        Point("b", resolving(vault_x="from b")),
        Point("c", resolving(vault_x="from c")),
        Point("d", resolving(safe_x="from d")),
    ]
    found = load(monkeypatch, ["a", "b", "c"], *points)

    assert found.secret("vault:x") == "from b"
    assert found.secret("safe:x") is None


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (RuntimeError("hunter2"), "plugin.raised"),
        (SystemExit(1), "plugin.raised"),
        (42, "plugin.wrong-type"),
    ],
)
def test_a_resolver_that_fails_is_named_without_what_it_said(
    monkeypatch: pytest.MonkeyPatch, given: Any, code: str
) -> None:
    found = load(monkeypatch, None, Point("bad", resolving(vault_x=given)))

    with pytest.raises(PluginError, match="the plugin bad") as raised:
        found.secret("vault:x")
    assert raised.value.code == code
    assert "hunter2" not in f"{raised.value}{raised.value.__cause__}"


def test_a_system_that_acts_must_receive(monkeypatch) -> None:
    class Deaf(Working):
        capabilities = Capabilities(acts=FULL)

    deaf = module("deaf", register_systems=[SystemSpec(name="deaf", system=Deaf, summary="")])
    found = load(monkeypatch, None, Point("deaf", deaf))
    with pytest.raises(PluginError, match="declares that it acts, but has not what Receives") as no:
        found.system("deaf")
    assert no.value.code == "plugin.declares-what-it-lacks"
