"""HL7 v2 referrals over MLLP."""
