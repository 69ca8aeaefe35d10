"""Who may call: tokens, and later the signatures of webhooks. Pure: clock and keys are passed in."""
