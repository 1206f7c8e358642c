"""Secure links by e-mail for agencies that have no software."""
