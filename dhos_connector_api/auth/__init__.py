"""Who may call: tokens, API keys, signatures of webhooks. Clock and keys are passed in (pure)."""
