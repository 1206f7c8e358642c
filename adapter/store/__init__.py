"""Durable state: schema, migrations, journal, encryption."""
