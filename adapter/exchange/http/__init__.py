"""The core's HTTP client for plugins."""
