"""The command `connector`, and `python -m dhos_connector_api`: see `cli/main.py`."""

import faulthandler
import warnings

# connexion imports a test client that it does not use here; its import warns at every start.
warnings.filterwarnings("ignore", module=r"connexion\.")

from dhos_connector_api import allocator  # noqa: E402  the filter has to come first
from dhos_connector_api.cli import main as commands  # noqa: E402


def main() -> None:
    """Run the command that the command line names."""
    faulthandler.enable()  # who dies of C code says on stderr which lines were run, and no values
    allocator.return_large_blocks()
    commands.main()


if __name__ == "__main__":
    main()
