"""HL7 v2 messages turned into the platform's internal format: actions, facts and merges (pure)."""
