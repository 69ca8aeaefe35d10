"""What each room declares, in files of the same names everywhere.

- `models.py`: its tables, on `db.metadata.db`
- `settings.py`: its groups of settings, each a `config.setting.Group`
- `periodic.py`: `jobs(settings)` returns what has to be done now and then, each a `db.jobs.Job`
- `metrics.py`: its Prometheus metrics
- `gauges.py`: `gauges(settings, connection, now)` returns the metrics that only the database knows
- `findings.py`: `findings(settings, connection)` returns what there is to say of it, for `connector doctor`

A room that has no such thing has no such file. Nothing else has to know of it.
"""

from importlib import import_module
from pathlib import Path
from types import ModuleType

import dhos_connector_api

_PACKAGE = Path(dhos_connector_api.__file__).parent


def import_all(name: str) -> list[ModuleType]:
    """Import the file of that name of every room that has one, in the order of the rooms' names."""
    paths = sorted(_PACKAGE.glob(f"*/**/{name}.py"))
    found = (".".join(path.relative_to(_PACKAGE.parent).with_suffix("").parts) for path in paths)
    return [import_module(each) for each in found]
