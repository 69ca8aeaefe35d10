"""From a HIS's JSON and webhooks to events and actions (pure)."""
