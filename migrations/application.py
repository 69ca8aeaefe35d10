"""The application that `flask db` works on: `tox -e flask -- db migrate -m "..."`.

Without DATABASE_HOST, and where no Connector runs, the embedded database runs as long as the command.
"""

import atexit

from dhos_connector_api.app import configuration
from dhos_connector_api.app.storage import create_flask
from dhos_connector_api.config.settings import ServiceSettings
from dhos_connector_api.db import embedded
from dhos_connector_api.db.settings import DatabaseSettings

settings = configuration.from_environment(DatabaseSettings)
local_state = settings.of(ServiceSettings).local_state
if not settings.of(DatabaseSettings).is_set and embedded.running(local_state) is None:
    server = embedded.EmbeddedPostgres(local_state)
    server.start()
    atexit.register(server.stop)
app = create_flask(settings)
