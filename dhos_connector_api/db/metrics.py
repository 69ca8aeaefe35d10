"""Whether the database can be used."""

from dhos_connector_api.metrics import Gauge

DATABASE_WRITABLE = Gauge(
    "connector_database_writable",
    "1 while the database does what it is asked, 0 while it is away, only reads or is not migrated",
    multiprocess_mode="livemostrecent",
)
