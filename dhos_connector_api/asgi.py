"""For a server that wants to be handed an application: `uvicorn --factory dhos_connector_api.asgi:create`.

It is one web process as `python -m dhos_connector_api web` runs it, without its own listening socket.
"""

from starlette.types import ASGIApp

from dhos_connector_api import log
from dhos_connector_api.app import configuration
from dhos_connector_api.app.web import create_app
from dhos_connector_api.config.settings import ServiceSettings


def create() -> ASGIApp:
    """The ASGI application by the settings in the environment. Raises BadSetting, BadSite."""
    settings = configuration.from_environment()
    service = settings.of(ServiceSettings)
    log.set_up(service.log_level, service.log_format)
    return create_app(settings)
