"""One MLLP process: its listeners, with everything behind them."""

from dhos_connector_api.app import incoming, relay
from dhos_connector_api.app.storage import open_database
from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.engine import STATEMENT_TIMEOUT
from dhos_connector_api.deliveries.settings import MllpReceiverSettings
from dhos_connector_api.errors import BadSetting
from dhos_connector_api.mllp import listeners, server
from dhos_connector_api.mllp.answering import FrameAnswerer
from dhos_connector_api.mllp.server import Server
from dhos_connector_api.mllp.settings import MllpSettings


def create_mllp(settings: Settings, *, shared: bool) -> Server:
    """Return the MLLP server on its listeners; `shared` with other processes of ours.

    Raises BadSetting, BadSite.
    """
    file = settings.of(MllpSettings).listeners
    if file is None:
        raise BadSetting("MLLP_LISTENERS is missing")
    listening = listeners.read_file(file)
    for each in listening:
        if each.application_ack == "delivery" and not settings.of(MllpReceiverSettings).url:
            raise BadSetting(f"EPR_MLLP_URL is missing, and {each.name} delivers acknowledgements there")
    intake = incoming.intake(settings, [each.name for each in listening])
    database = open_database(
        settings,
        pool_size=server.THREADS + server.LARGE_THREADS,
        statement_timeout=STATEMENT_TIMEOUT,
        lock_timeout=server.LOCK_TIMEOUT,
    )
    relay.wake_after_commits(settings)
    return Server(listening, FrameAnswerer(database, intake).answer, shared=shared)
