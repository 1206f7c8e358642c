"""The class of a system, from the spec that a plugin registered: imported when it is needed."""

from __future__ import annotations

import importlib
import tomllib
from typing import Any

from adapter.exchange.abilities import protocol_of, undeclared
from adapter.exchange.plugin_code import loading, said_of
from adapter.plugin.errors import AdapterError, PluginError
from adapter.plugin.system import Adapts, System, SystemSpec


def system_class(spec: SystemSpec) -> type[System]:
    """The class that a spec names, imported now if it is named by its place.

    Raises:
        PluginError: it cannot be imported, is no system, or declares what it has not.
    """
    found: Any = spec.system
    if isinstance(spec.system, str):
        module, _, attribute = spec.system.partition(":")
        try:
            with loading(spec.name):
                loaded = importlib.import_module(module)
            found = getattr(loaded, attribute, None)
        except (Exception, SystemExit) as error:  # a plugin may raise anything while it is imported
            raise PluginError(
                "plugin.import-failed",
                f"the system {spec.name} cannot be imported: {said_of(error)}",
                fix="Reinstall the plugin, or ask its maker.",
                detail=str(error),
            ) from error
    if not (isinstance(found, type) and issubclass(found, System)):
        raise PluginError(
            "plugin.not-a-system",
            f"{spec.system} is no subclass of adapter.plugin.System",
            fix="Update the plugin, or ask its maker.",
        )
    lacking = undeclared(found)[0]
    if lacking:
        raise PluginError(
            "plugin.declares-what-it-lacks",
            f"the system {spec.name} declares that it {lacking[0]}, "
            f"but has not what {protocol_of(lacking[0]).__name__} asks for",
            fix="Update the plugin, or ask its maker: `adapter conform` shows it.",
        )
    return found


def adapted_class(spec: SystemSpec, base: type[System]) -> type[System]:
    """The base with the quirks of a level 0 system."""
    if not issubclass(base, Adapts) or spec.quirks is None:
        raise PluginError(
            "plugin.no-base",
            f"the system {spec.name} names no quirks, or {spec.base} takes none",
            fix="A level 0 system is SystemSpec(name=…, base=…, quirks=FILE, summary=…).",
        )
    try:
        found: type[System] = base.adapted(spec.name, tomllib.loads(spec.quirks.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PluginError(
            "plugin.quirks",
            f"the quirks of {spec.name} cannot be read: {type(error).__name__}",
            fix="Correct the file; it is TOML, as the base plugin's README says.",
        ) from error
    except AdapterError as error:
        raise PluginError(
            "plugin.quirks", f"the quirks of {spec.name}: {error.message}", fix=error.fix
        ) from error
    return found
