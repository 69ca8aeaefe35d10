"""Where envelopes and deliveries go: RabbitMQ or this process, the EPR, an MLLP receiver, Mirth."""

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlsplit

from dhos_connector_api.app.incoming import transformer
from dhos_connector_api.app.tokens import issuers_of
from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.broker.no_broker import NoBroker
from dhos_connector_api.broker.publisher import Publisher
from dhos_connector_api.config.settings import Settings
from dhos_connector_api.deliveries.deliver import Destination
from dhos_connector_api.deliveries.send import EPR, MIRTH, MLLP, Outbound
from dhos_connector_api.deliveries.transports.epr import EprTransport
from dhos_connector_api.deliveries.transports.mirth import MirthTransport
from dhos_connector_api.deliveries.transports.mllp import MllpTransport
from dhos_connector_api.deliveries.transports.mllp_line import Receiver, tls_context
from dhos_connector_api.errors import BadSetting
from dhos_connector_api.site.model import Site
from dhos_connector_api.workers.relay import MakeOutlet


def outlet(settings: Settings) -> MakeOutlet:
    """Return what makes the relay's outlet: RabbitMQ, or where none is set what takes nothing."""
    if not settings.uses_rabbitmq:
        return lambda _keep_waiting: NoBroker()
    address = BrokerAddress(
        host=str(settings.rabbitmq_host),
        port=settings.rabbitmq_port,
        vhost=settings.rabbitmq_vhost,
        username=settings.rabbitmq_username,
        password=settings.rabbitmq_password,
    )
    return lambda keep_waiting: Publisher(address, name="dhos-connector-api relay", keep_waiting=keep_waiting)


def destinations(settings: Settings, site: Callable[[], Site]) -> tuple[Destination, ...]:
    """Return where messages are delivered to: the destinations that are set up here."""
    found = []
    if settings.epr_service_adapter_url_base:
        issuer = next(each for each in issuers_of(settings) if each.name == "epr_adapter")
        epr = EprTransport(
            url_base=settings.epr_service_adapter_url_base,
            issuer=issuer,
            scope=settings.epr_service_adapter_scope,
            token_life=timedelta(seconds=settings.jwt_expiry_in_seconds),
        )
        found.append(Destination(EPR, epr, lambda: site().deliveries.epr))
    if settings.epr_mllp_url:
        mllp = MllpTransport(MLLP, mllp_receiver(settings, settings.epr_mllp_url))
        found.append(Destination(MLLP, mllp, lambda: site().deliveries.mllp))
    if settings.mirth_host_url_base:
        mirth = MirthTransport(
            settings.mirth_host_url_base, settings.mirth_username or "", settings.mirth_password or ""
        )
        found.append(Destination(MIRTH, mirth, lambda: site().deliveries.mirth))
    return tuple(found)


def mllp_receiver(settings: Settings, url: str) -> Receiver:
    """Return where EPR_MLLP_URL points, with TLS where it says so. Raises BadSetting."""
    parts = urlsplit(url)
    context = None
    if parts.scheme == "mllps":
        files = settings.epr_mllp_ca, settings.epr_mllp_certificate, settings.epr_mllp_key
        try:
            context = tls_context(*files)
        except BadSetting as error:
            raise BadSetting(f"EPR_MLLP_CA, EPR_MLLP_CERTIFICATE, EPR_MLLP_KEY: {error.text}") from None
    return Receiver(str(parts.hostname), parts.port or 0, context)


def outbound(settings: Settings, site: Callable[[], Site]) -> Callable[[], Outbound]:
    """Return a function that gives what messages to the hospital are sent with now; the site may change."""
    transform = transformer(settings.hl7_transformer_module, "transform_outgoing")
    names = {
        EPR: settings.epr_service_adapter_url_base,
        MLLP: settings.epr_mllp_url,
        MIRTH: settings.mirth_host_url_base,
    }
    known = frozenset(name for name, url in names.items() if url)
    return lambda: Outbound(site(), settings.server_timezone, transform, known)
