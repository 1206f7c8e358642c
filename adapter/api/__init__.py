"""The FHIR REST face of the referral room."""
