"""What moves: inbox, engine, outbox, delivery, correlation, site lifecycle."""
