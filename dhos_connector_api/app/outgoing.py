"""Where deliveries go: the EPR, an MLLP receiver, Mirth."""

from collections.abc import Callable
from datetime import timedelta
from threading import Event
from urllib.parse import urlsplit

from dhos_connector_api.app import incoming
from dhos_connector_api.app.tokens import issuers_of
from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.engine import Database
from dhos_connector_api.deliveries.deliver import Deliverer, Destination
from dhos_connector_api.deliveries.send import EPR, MIRTH, MLLP, Outbound
from dhos_connector_api.deliveries.settings import EprSettings, MirthSettings, MllpReceiverSettings
from dhos_connector_api.deliveries.transports.epr import EprTransport
from dhos_connector_api.deliveries.transports.mirth import MirthTransport
from dhos_connector_api.deliveries.transports.mllp import MllpTransport
from dhos_connector_api.deliveries.transports.mllp_line import Receiver, tls_context
from dhos_connector_api.errors import BadSetting
from dhos_connector_api.http.settings import TokenSettings
from dhos_connector_api.intake.settings import IntakeSettings
from dhos_connector_api.site.model import Site


def deliverers(settings: Settings, database: Database) -> list[Deliverer]:
    """Return what delivers to each destination that is set up here. Raises BadSetting."""
    pause = Event().wait  # also when told to stop: what was sent has to be settled
    return [Deliverer(database, each, pause) for each in destinations(settings, incoming.site(settings))]


def destinations(settings: Settings, site: Callable[[], Site]) -> tuple[Destination, ...]:
    """Return where messages are delivered to: the destinations that are set up here."""
    epr_adapter, receiver, mirth_server = _receivers(settings)
    found = []
    if epr_adapter.url_base:
        issuer = next(each for each in issuers_of(settings) if each.name == "epr_adapter")
        epr = EprTransport(
            url_base=epr_adapter.url_base,
            issuer=issuer,
            scope=epr_adapter.scope,
            token_life=timedelta(seconds=settings.of(TokenSettings).lifetime),
        )
        found.append(Destination(EPR, epr, lambda: site().deliveries.epr))
    if receiver.url:
        mllp = MllpTransport(MLLP, mllp_receiver(receiver, receiver.url))
        found.append(Destination(MLLP, mllp, lambda: site().deliveries.mllp))
    if mirth_server.url_base:
        mirth = MirthTransport(mirth_server.url_base, mirth_server.username, mirth_server.password)
        found.append(Destination(MIRTH, mirth, lambda: site().deliveries.mirth))
    return tuple(found)


def _receivers(settings: Settings) -> tuple[EprSettings, MllpReceiverSettings, MirthSettings]:
    return settings.of(EprSettings), settings.of(MllpReceiverSettings), settings.of(MirthSettings)


def mllp_receiver(settings: MllpReceiverSettings, url: str) -> Receiver:
    """Return where EPR_MLLP_URL points, with TLS where it says so. Raises BadSetting."""
    parts = urlsplit(url)
    context = None
    if parts.scheme == "mllps":
        try:
            context = tls_context(settings.ca, settings.certificate, settings.key)
        except BadSetting as error:
            raise BadSetting(f"EPR_MLLP_CA, EPR_MLLP_CERTIFICATE, EPR_MLLP_KEY: {error.text}") from None
    return Receiver(str(parts.hostname), parts.port or 0, context)


def outbound(settings: Settings, site: Callable[[], Site]) -> Callable[[], Outbound]:
    """Return a function that gives what messages to the hospital are sent with now; the site may change."""
    hl7 = settings.of(IntakeSettings)
    transform = incoming.transformer(hl7.transformer_module, "transform_outgoing")
    epr_adapter, receiver, mirth_server = _receivers(settings)
    names = {EPR: epr_adapter.url_base, MLLP: receiver.url, MIRTH: mirth_server.url_base}
    known = frozenset(name for name, url in names.items() if url)
    return lambda: Outbound(site(), hl7.time_zone, transform, known)
