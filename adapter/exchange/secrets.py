"""Secrets in a site's settings: references become what they stand for; nothing else may be one.

``env:NAME`` and ``file:PATH`` are read here; any other ``word:…`` is shown to the plugins that
resolve secrets, and stays as it is if none of them knows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, SecretStr

from adapter.exchange.config import Config
from adapter.exchange.installed_plugins import Plugins
from adapter.plugin.errors import ConfigError
from adapter.security.known_secrets import remember

_REFERENCE = re.compile(r"[a-z][a-z0-9-]{1,30}:(?!//)\S+")


class Secrets:
    """The secrets of one site, while its settings are read."""

    def __init__(self, config: Config, plugins: Plugins) -> None:
        self._config = config
        self._plugins = plugins
        self._found: set[str] = set()

    def resolved(self, value: Any, key: str) -> Any:
        """Settings with each reference replaced; `key` is the table's place in the file.

        Raises:
            ConfigError: what it refers to is not there. PluginError: the plugin that was asked
                failed.
        """
        if isinstance(value, dict):
            return {name: self.resolved(each, f"{key}.{name}") for name, each in value.items()}
        if isinstance(value, list):
            return [self.resolved(each, f"{key}[{n}]") for n, each in enumerate(value, 1)]
        if isinstance(value, str) and _REFERENCE.fullmatch(value):
            return self._one(value, key)
        return value

    def refuse_inline(self, site: str, settings: BaseModel) -> None:
        """No secret may stand in the file itself.

        Raises:
            ConfigError: one does; it names the setting.
        """
        for path, secret in _secrets(settings, ""):
            if secret and secret not in self._found:
                raise ConfigError(
                    "config.secret-inline",
                    f"{self._config.file}: sites.{site}.settings.{path}: what stands there is no "
                    "reference to a secret that is known",
                    fix="Write env:NAME, file:PATH, or a reference that an enabled plugin resolves "
                    "(adapter plugins list), never the secret itself.",
                )

    def _one(self, reference: str, key: str) -> str:
        if reference.startswith(("env:", "file:")):
            secret: str | None = self._config.secret(reference, key)
        else:
            secret = self._plugins.secret(reference)
        if secret is None:
            return reference
        self._found.add(secret)
        return remember(secret)


def _secrets(settings: BaseModel, path: str) -> Iterator[tuple[str, str]]:
    for name in settings.model_fields_set:
        value = getattr(settings, name)
        place = f"{path}.{name}" if path else name
        if isinstance(value, SecretStr):
            yield place, value.get_secret_value()
        elif isinstance(value, BaseModel):
            yield from _secrets(value, place)
