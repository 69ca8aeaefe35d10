"""`python -m dhos_connector_api`: see `cli/main.py`."""

import warnings

# connexion imports a test client that it does not use here; its import warns at every start.
warnings.filterwarnings("ignore", module=r"connexion\.")

from dhos_connector_api import allocator  # noqa: E402  the filter has to come first
from dhos_connector_api.cli.main import main  # noqa: E402

allocator.return_large_blocks()
main()
