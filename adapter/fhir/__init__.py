"""FHIR R4 facts: lenient reader, strict writer, compiled checks, questionnaires."""
