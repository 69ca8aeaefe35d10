"""Handlers of the wing px: one module for each of its tags."""
