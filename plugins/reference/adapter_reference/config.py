"""The settings of one site: `[sites.NAME.settings]`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from adapter.plugin import SystemConfig
from adapter.plugin.http import HttpSystemConfig


class ReferenceConfig(HttpSystemConfig):
    """Where the peer's API is, who we are there, and how much we take from it."""

    page_size: int = Field(default=50, ge=1, le=500, description="messages asked for at a time")
    max_bytes: int = Field(
        default=1_048_576, ge=1024, description="bytes of one message that is taken"
    )


class FilesConfig(SystemConfig):
    """The folder that is shared with the peer."""

    folder: Path = Field(description="the shared folder; theirs is in `in`, ours in `out`")
    max_bytes: int = Field(
        default=1_048_576, ge=1024, description="bytes of one file that is taken"
    )
