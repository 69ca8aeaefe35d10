"""For a server that wants to be handed an application: `uvicorn --factory dhos_connector_api.asgi:create`.

It is one web process as `cli.py web` runs it, without its own listening socket.
"""

from starlette.types import ASGIApp

from dhos_connector_api import app, config, log


def create() -> ASGIApp:
    """The ASGI application by the settings in the environment. Raises BadSetting, BadSite."""
    settings = config.from_environment()
    log.set_up(settings.log_level, settings.log_format)
    return app.create_app(settings)
