"""Two-way mapping tables: read, checked, compiled, run and explained.

The language is described in docs/reference/mapping-tables.md.
"""

from __future__ import annotations

from adapter.mapping.convert import convert
from adapter.mapping.errors import MappingError, NoMapError, PackError
from adapter.mapping.packs import Packs, load_packs
from adapter.mapping.run import Loss, Map, Mapped

__all__ = [
    "Loss",
    "Map",
    "Mapped",
    "MappingError",
    "NoMapError",
    "PackError",
    "Packs",
    "convert",
    "load_packs",
]
