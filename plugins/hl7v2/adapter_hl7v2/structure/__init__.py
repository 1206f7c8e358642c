"""What HL7 v2 says about segments, data types and message structures, version by version."""
