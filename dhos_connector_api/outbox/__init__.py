"""The outbox: envelopes committed with their message, and the step that publishes them."""
