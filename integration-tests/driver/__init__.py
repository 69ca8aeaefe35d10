"""What the steps speak through: builders, clients of the Connector and RabbitMQ, bounded waits."""
