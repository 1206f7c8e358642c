"""How this adapter proves to others who it is."""
