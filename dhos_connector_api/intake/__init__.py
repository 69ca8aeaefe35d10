"""The use cases of everything that comes in; every door (HTTP, MLLP, ...) calls these."""
