"""Runs commands of the Connector in forks of itself: `python -m tests.rigs.forking`, a request a line.

Each command has its own process, environment, output and exit status, as one that `python -m` starts; only
the second of imports is spared. A request is JSON; the answer to a request is the exit status.
"""

import gc
import json
import os
import runpy
import sys
from typing import Any

import dhos_connector_api.cli.main

assert dhos_connector_api.cli.main  # what every command imports


def serve() -> None:
    """Answer requests until there are no more; a fork leaves here as the command it is."""
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            become(json.loads(line))
            return
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def become(request: dict[str, Any]) -> None:
    """Be the command from now on."""
    os.environ.clear()
    os.environ.update(request["environ"])
    sys.path[:0] = [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    files = (os.devnull, os.O_RDONLY), (request["stdout"], os.O_WRONLY), (request["stderr"], os.O_WRONLY)
    for number, (path, mode) in enumerate(files):
        opened = os.open(path, mode)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv = ["dhos_connector_api", *request["arguments"]]
    runpy.run_module("dhos_connector_api", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    serve()
