"""Measures the real thing: web processes, relay, PostgreSQL, RabbitMQ, and yardsticks in the same run."""
