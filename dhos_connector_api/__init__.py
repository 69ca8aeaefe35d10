"""The Connector: takes a hospital's HL7, keeps it, acknowledges it, and hands it to RabbitMQ."""

__version__ = "1.0.0"
