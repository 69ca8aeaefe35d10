"""API keys at rest: their hashes, each with the source it may send as."""
