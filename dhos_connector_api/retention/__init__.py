"""Retention: removes what has had its time and is needed by nothing, and keeps a record of what went."""
