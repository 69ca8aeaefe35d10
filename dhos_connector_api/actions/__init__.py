"""From what comes in to the platform's internal format: actions, facts and merges (pure)."""
