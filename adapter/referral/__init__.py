"""The domain, pure and without I/O: model, lifecycle, routing, consent, disclosure."""
