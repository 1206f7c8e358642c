"""The public plugin API: all that a plugin may import."""
