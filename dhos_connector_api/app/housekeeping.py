"""What has to be done now and then: the periodic jobs of every room."""

from dhos_connector_api.app import rooms
from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.engine import Database
from dhos_connector_api.db.jobs import Job
from dhos_connector_api.messages import periodic as messages
from dhos_connector_api.workers.housekeeping import Housekeeping


def jobs(settings: Settings) -> list[Job]:
    """Return the jobs that the rooms declare in `periodic.py`."""
    return [job for module in rooms.import_all("periodic") for job in module.jobs(settings)]


def make_room_for_messages(settings: Settings, database: Database) -> None:
    """Make the partitions for the messages of this month and the next ones, if nobody else is at it."""
    keeper = Housekeeping(database, messages.jobs(settings))
    while keeper.step():
        pass
