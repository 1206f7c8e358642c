"""The checks of an endpoint, by what they look at."""
