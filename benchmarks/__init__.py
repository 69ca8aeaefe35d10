"""Measures the real thing: web processes, relay, PostgreSQL, RabbitMQ, and yardsticks in the same run."""

import warnings

# As `python -m dhos_connector_api` does: connexion's import warns in every process that is started here.
warnings.filterwarnings("ignore", module=r"connexion\.")
