"""Patient experience, a wing of its own: it lives on the connector's envelopes, which knows nothing of it."""
