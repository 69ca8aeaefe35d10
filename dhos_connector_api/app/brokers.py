"""Where RabbitMQ listens, as the settings say."""

import ssl

from dhos_connector_api import tls
from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.broker.management import Management
from dhos_connector_api.broker.settings import BrokerSettings
from dhos_connector_api.config.load import Settings
from dhos_connector_api.errors import BadSetting


def broker_addresses(settings: Settings) -> list[BrokerAddress]:
    """Return where RabbitMQ listens, in the order in which it is tried; nothing where none is set.

    Raises BadSetting for certificates that cannot be used.
    """
    broker = settings.of(BrokerSettings)
    if not broker.is_used:
        return []
    vhost, username, password = broker.login
    context = _tls_context(broker) if broker.uses_tls else None
    return [
        BrokerAddress(host, port, vhost, username, password, context, broker.server_name)
        for host, port in broker.places
    ]


def broker_management(settings: Settings) -> Management | None:
    """Return RabbitMQ's management API; None where it is not set. Raises BadSetting as above."""
    broker = settings.of(BrokerSettings)
    if broker.management is None or not broker.is_used:
        return None
    vhost, _, _ = broker.login
    username, password = broker.management_login
    context = _tls_context(broker) if broker.management.tls else None
    return Management(broker.management.url, vhost, username, password, context)


def _tls_context(broker: BrokerSettings) -> ssl.SSLContext:
    try:
        return tls.client_context(broker.ca, broker.certificate, broker.key)
    except (OSError, ValueError):  # their texts name files of this machine
        raise BadSetting("RABBITMQ_CA, RABBITMQ_CERTIFICATE or RABBITMQ_KEY cannot be used") from None
