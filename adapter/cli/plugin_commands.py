"""`adapter PLUGIN COMMAND`: the commands that a plugin brings, under the plugin's own name.

Found when the first word is no command of ours: no plugin is loaded for `adapter --help`, and none
can take the place of a command.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from typing import Any

import typer

from adapter.plugin.hookspecs import ENTRY_POINTS


def group_of(word: str) -> Any:
    """The commands of an installed plugin as one group, or None if none has this name.

    Raises:
        PluginError: the plugin of this name does not load, or brings no command.
    """
    if not metadata.entry_points(group=ENTRY_POINTS, name=word):
        return None
    from adapter.exchange.plugins import load_plugins
    from adapter.plugin.errors import PluginError

    (plugin,) = [each for each in load_plugins({word}).loaded if each.name == word][:1]
    if plugin.state == "failed":
        raise PluginError(plugin.code, f"the plugin {word} failed: {plugin.reason}", fix=plugin.fix)
    if not plugin.commands:
        raise PluginError(
            "plugin.no-commands",
            f"the plugin {word} brings no commands",
            fix=f"See what it brings: adapter plugins show {word}",
        )
    return _group(word, plugin.commands)


def _group(word: str, commands: dict[str, Callable[..., Any]] | Any) -> Any:
    application = typer.Typer(
        name=word,
        help=f"Commands of the plugin {word}.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
    )
    application.callback()(_together)
    for name, function in commands.items():
        application.command(name)(function)
    group: Any = typer.main.get_group(application)
    group.name = word
    return group


def _together() -> None:
    """One command stays a command of a group."""
