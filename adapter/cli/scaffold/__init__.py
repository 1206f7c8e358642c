"""Writing a new plugin, offline, from templates."""
