"""API keys at rest: who may send as which source."""
