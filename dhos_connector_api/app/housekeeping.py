"""What has to be done now and then: the periodic jobs of every room."""

from dhos_connector_api.app import rooms
from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.jobs import Job


def jobs(settings: Settings) -> list[Job]:
    """Return the jobs that the rooms declare in `periodic.py`."""
    return [job for module in rooms.import_all("periodic") for job in module.jobs(settings)]
