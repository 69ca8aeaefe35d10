"""Who may call: tokens, API keys, signatures of webhooks. Pure: clock and keys are passed in."""
