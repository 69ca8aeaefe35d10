"""Fakes with behaviour: what stands around the Connector and can be made to fail."""
