"""What a plugin's hooks gave back, checked: a plugin may return anything."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from importlib.resources.abc import Traversable
from typing import Any

import pluggy

from adapter.plugin import hookspecs
from adapter.plugin.errors import PluginError
from adapter.plugin.formats import Format
from adapter.plugin.system import SystemSpec

DOUBLE = "Uninstall or disable one of the two: adapter plugins list"
_ASK = "Update the plugin, or ask its maker: docs/reference/hooks.md says what each hook returns."
_FORMAT = ("name", "split", "parse", "dump", "kind", "leaves", "notation")
_COMMAND = re.compile(r"[a-z][a-z0-9-]{0,30}")


def registered(manager: pluggy.PluginManager) -> dict[str, Any]:
    """Everything that the one plugin of a manager brings, by the fields of `LoadedPlugin`.

    Raises:
        PluginError: a hook returned the wrong thing, or the plugin wants another API.
    """
    hook = manager.hook
    systems = _items(_given(hook.register_systems), SystemSpec)
    _refuse_newer(systems)
    return {
        "systems": systems,
        "formats": _formats(_given(hook.register_formats)),
        "functions": _functions("register_functions", _given(hook.register_functions)),
        "packs": _items(_given(hook.register_mapping_packs), Traversable),
        "commands": _commands(_given(hook.register_commands)),
        "resolver": hook.resolve_secret if hook.resolve_secret.get_hookimpls() else None,
    }


def _given(hook: Any) -> list[Any]:
    """What each implementation of a hook returned; pluggy leaves out those that return None."""
    results: list[Any] = hook()
    if len(results) < len(hook.get_hookimpls()):
        raise _wrong(f"{hook.name}() gave nothing back; a hook returns what it registers")
    return results


def refuse_foreign(what: str, names: list[str], plugin: str, owners: Collection[str]) -> None:
    """A name belongs to the plugin that it begins with: ``acme``, ``acme-files``, ``acme.upper``.

    Raises:
        PluginError: it is another plugin's, installed here; that one keeps it.
    """
    for name in names:
        own = [each for each in owners if re.match(re.escape(each) + r"($|[-.])", name)]
        if own and (owner := max(own, key=len)) != plugin:
            raise PluginError(
                "plugin.double", f"the {what} {name} is named for the plugin {owner}", fix=DOUBLE
            )


def refuse_doubles(what: str, names: list[str], taken: Collection[str]) -> None:
    """No name twice.

    Raises:
        PluginError: it is taken.
    """
    for name in names:
        if name in taken or names.count(name) > 1:
            raise PluginError("plugin.double", f"the {what} {name} is already there", fix=DOUBLE)


def _wrong(message: str) -> PluginError:
    return PluginError("plugin.wrong-type", message, fix=_ASK)


def _items(results: Iterable[Any], kind: type[Any]) -> tuple[Any, ...]:
    items: list[Any] = []
    for result in results:
        if isinstance(result, str | bytes | Mapping) or not isinstance(result, Iterable):
            raise _wrong(f"a hook did not return a list of {kind.__name__}")
        for item in result:
            if not isinstance(item, kind):
                raise _wrong(f"a hook returned a {type(item).__name__}, not a {kind.__name__}")
            items.append(item)
    return tuple(items)


def _formats(results: Iterable[Any]) -> tuple[Format, ...]:
    """Formats are known by what they do: a plugin need not inherit from anything of ours."""
    items = _items(results, object)
    for each in items:
        missing = [name for name in _FORMAT if not hasattr(each, name)]
        if missing:
            raise _wrong(f"the format {type(each).__name__} has no {missing[0]}")
    return items


def _functions(hook: str, results: Iterable[Any]) -> dict[str, Callable[..., Any]]:
    functions: dict[str, Callable[..., Any]] = {}
    for result in results:
        if not isinstance(result, Mapping) or not all(callable(each) for each in result.values()):
            raise _wrong(f"{hook} returns functions by name")
        functions |= result
    return functions


def _commands(results: Iterable[Any]) -> dict[str, Callable[..., Any]]:
    commands = _functions("register_commands", results)
    for name, function in commands.items():
        if not isinstance(name, str) or not _COMMAND.fullmatch(name):
            raise _wrong("a command is named by a word of lower-case letters, digits and hyphens")
        if not (function.__doc__ or "").strip():
            raise _wrong(f"the command {name} has no docstring to be its help")
    return commands


def _refuse_newer(specs: Iterable[SystemSpec]) -> None:
    for spec in specs:
        if not hookspecs.API_VERSION - 1 <= spec.api_version <= hookspecs.API_VERSION:
            raise PluginError(
                "plugin.api-version",
                f"the system {spec.name} was written for plugin API {spec.api_version}, "
                f"this adapter has {hookspecs.API_VERSION}",
                fix="Update the adapter, or install a version of the plugin for its plugin API.",
            )
