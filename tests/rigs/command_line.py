"""The command line as a process that runs to its end."""

import atexit
import json
import subprocess
import sys
import tempfile
from functools import cache

from tests.rigs.processes import ROOT

Done = subprocess.CompletedProcess[str]


@cache
def _forking() -> subprocess.Popen[str]:
    """The process that commands are forks of (`tests.rigs.forking`); it ends with this one."""
    command = [sys.executable, "-m", "tests.rigs.forking"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(process.communicate)
    return process


def run(environ: dict[str, str], *arguments: str) -> Done:
    """Run the command with these arguments and return its output and exit status."""
    process = _forking()
    assert process.stdin is not None
    assert process.stdout is not None
    with tempfile.NamedTemporaryFile("r") as stdout, tempfile.NamedTemporaryFile("r") as stderr:
        request = {"arguments": arguments, "environ": environ, "stdout": stdout.name, "stderr": stderr.name}
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        status = int(process.stdout.readline())
        return Done([*arguments], status, stdout.read(), stderr.read())


def start(environ: dict[str, str], *arguments: str) -> Done:
    """Run `python -m dhos_connector_api ARGUMENTS` as a person does, and return the same."""
    command = [sys.executable, "-m", "dhos_connector_api", *arguments]
    return subprocess.run(
        command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
