"""Runs a command of the Connector in a process of its own, and tells how much memory that took at most.

`python -m tests.rigs.peak FILE COMMAND...`: FILE gets the megabytes (VmHWM), whatever becomes of the command.
"""

import sys
from pathlib import Path

from dhos_connector_api import allocator
from dhos_connector_api.cli.main import main

if __name__ == "__main__":
    allocator.return_large_blocks()
    try:
        main(sys.argv[2:])
    finally:
        status = Path("/proc/self/status").read_text()
        Path(sys.argv[1]).write_text(status.partition("VmHWM:")[2].split()[0])
