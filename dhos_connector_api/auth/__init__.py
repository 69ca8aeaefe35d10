"""Authentication of callers: tokens, API keys, signatures of webhooks. Clock and keys come in (pure)."""
