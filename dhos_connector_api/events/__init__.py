"""Integration events: what happened at the hospital, with the codes, keys and meanings of it."""
