"""The two-way mapping table language: parse, check, compile, run, explain."""
