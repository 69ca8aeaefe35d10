"""From an HL7 v2 message to facts and actions (pure)."""
