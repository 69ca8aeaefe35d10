"""The settings: read once from the environment, typed, grouped by what they are for."""
