"""Web pages for agencies, in English and French, that work without JavaScript."""
