"""Mapping packs: data only, read with importlib.resources."""
