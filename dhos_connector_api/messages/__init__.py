"""The message store: every message with its bytes, facts, identifiers, acknowledgement and key."""
