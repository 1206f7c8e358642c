"""Carries social prescriptions between EMRs and community programs as FHIR R4."""

__version__ = "0.1.0"
