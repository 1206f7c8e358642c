"""Who may do what: keys, secrets, scopes, policy."""
