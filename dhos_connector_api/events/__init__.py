"""Integration events: what happened at the hospital, told in JSON, with their codes, keys and meanings."""
