"""Runs in a process of its own: the Connector where only so many files may be open.

`python -m tests.rigs.few_files SOFT HARD COMMAND...`: SOFT and HARD are RLIMIT_NOFILE.
"""

import resource
import sys

from dhos_connector_api.cli.main import main

if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
    main(sys.argv[3:])
