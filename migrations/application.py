"""The application that `flask db` works on: `tox -e flask -- db migrate -m "..."`.

Without DATABASE_HOST, and where no Connector runs, the embedded database runs as long as the command.
"""

import atexit

from dhos_connector_api.app.storage import create_flask
from dhos_connector_api.config import settings as config
from dhos_connector_api.db import embedded

settings = config.from_environment()
if settings.database_host is None and embedded.running(settings.local_state) is None:
    server = embedded.EmbeddedPostgres(settings.local_state)
    server.start()
    atexit.register(server.stop)
app = create_flask(settings)
