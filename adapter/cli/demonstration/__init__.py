"""The demonstration: the real service, and small outside parties: a clinic and an agency."""
