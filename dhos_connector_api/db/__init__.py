"""PostgreSQL: the engine, the one place that commits, table metadata, the embedded server."""
