"""CDA documents as they are sent (pure): XML read safely, and what a document says of itself."""
