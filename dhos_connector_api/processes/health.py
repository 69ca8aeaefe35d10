"""Answers whether the process of a container runs: the health check of the image, for every command.

It imports little, because it is run every few seconds: `python -m dhos_connector_api.processes.health`. The
command whose process it asks for is its argument, or else that of process 1, which a container runs.
"""

import http.client
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from dhos_connector_api.config import environment
from dhos_connector_api.config.given import is_service_link

#: The setting with the port on which a command answers `/running`, and what it is unless set.
PORTS = {
    "serve": ("SERVER_PORT", "5000"),
    "all": ("SERVER_PORT", "5000"),
    "mllp": ("MLLP_METRICS_PORT", ""),
    "relay": ("RELAY_METRICS_PORT", ""),
    "deliver": ("DELIVER_METRICS_PORT", ""),
    "consume": ("CONSUME_METRICS_PORT", ""),
}
#: Seconds the answer may take.
PATIENCE = 2.0
_PROCESS_1 = Path("/proc/1/cmdline")


def problem(command: str, environ: Mapping[str, str]) -> str | None:
    """Return why that command's process is not well, in a line; None: it is, or it answers to nobody."""
    if command not in PORTS:  # `migrate` and its like end by themselves
        return None
    setting, otherwise = PORTS[command]
    port = environ.get(setting, "").strip()
    if not port or is_service_link(port):
        port = otherwise
    if not port.isdigit():
        return f"{setting} is not set, and {command} answers there"
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=PATIENCE)
    try:
        connection.request("GET", "/running")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"{command} does not answer on port {port}: {type(error).__name__}"
    finally:
        connection.close()
    return None if status == http.client.OK else f"{command} answers {status} on port {port}"


def command_in(argv: Sequence[str]) -> str:
    """Return the command of ours in a command line; an empty text where there is none."""
    return next((word for word in argv if word in PORTS), "")


def command_of_container() -> str:
    """Return the command that process 1 runs; `serve` where that cannot be seen."""
    try:
        argv = _PROCESS_1.read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return "serve"
    return command_in(argv)


def main() -> None:
    """End with 0 where the process is well, else with 1 and a line that says why."""
    command = sys.argv[1] if len(sys.argv) > 1 else command_of_container()
    if found := problem(command, environment.variables()):
        sys.exit(found)


if __name__ == "__main__":
    main()
