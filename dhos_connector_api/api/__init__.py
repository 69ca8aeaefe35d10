"""The HTTP door: `openapi/` served and enforced, one module per tag of it."""
