"""Journeys: every encounter's way through the hospital, folded from what the feeds tell."""
