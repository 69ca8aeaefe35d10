"""What comes in, turned into the platform's internal format: actions, facts and merges (pure)."""
