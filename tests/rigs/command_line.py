"""The command line as a process that runs to its end."""

import subprocess
import sys

from tests.rigs.processes import ROOT

Done = subprocess.CompletedProcess[str]


def run(environ: dict[str, str], *arguments: str) -> Done:
    """Run `python -m dhos_connector_api ARGUMENTS` and return its output and exit status."""
    command = [sys.executable, "-m", "dhos_connector_api", *arguments]
    return subprocess.run(
        command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
