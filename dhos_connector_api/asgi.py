"""For a server that wants to be handed an application: `uvicorn --factory dhos_connector_api.asgi:create`.

It is one web process as `cli.py web` runs it, without its own listening socket.
"""

from starlette.types import ASGIApp

from dhos_connector_api import log
from dhos_connector_api.app.web import create_app
from dhos_connector_api.config import settings as config


def create() -> ASGIApp:
    """The ASGI application by the settings in the environment. Raises BadSetting, BadSite."""
    settings = config.from_environment()
    log.set_up(settings.log_level, settings.log_format)
    return create_app(settings)
