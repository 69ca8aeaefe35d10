"""A PgBouncer in transaction mode before a PostgreSQL of the test's own."""

import os
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from dhos_connector_api.db.embedded import free_port
from dhos_connector_api.db.engine import DatabaseAddress
from tests.rigs.own_postgres import answers
from tests.rigs.waiting import eventually

_CONFIGURATION = """
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
unix_socket_dir =
auth_type = plain
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = {sessions}
max_client_conn = 200
ignore_startup_parameters = {ignored}
"""


class PgBouncer:
    """Running from the start; `ignored` are parameters of a session that it takes and forgets."""

    def __init__(
        self, behind: DatabaseAddress, *, sessions: int = 3, ignored: str = "extra_float_digits"
    ) -> None:
        program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if program is None:
            pytest.skip("NO PGBOUNCER ON THIS MACHINE: poolers are not tested (install pgbouncer)")
        self._folder = Path(tempfile.mkdtemp(prefix="connector-pgbouncer-"))
        self.address = replace(behind, port=free_port())
        self._folder.chmod(0o755)
        (self._folder / "users").write_text(f'"{behind.user}" "{behind.password}"\n')
        file = self._folder / "pgbouncer.ini"
        file.write_text(
            _CONFIGURATION.format(
                host=behind.host, port=behind.port, own_port=self.address.port, folder=self._folder,
                sessions=sessions, ignored=ignored,
            )
        )  # fmt: skip
        account = ("-u", "nobody") if os.geteuid() == 0 else ()
        self._log = (self._folder / "log").open("ab")
        self._process = subprocess.Popen([program, *account, str(file)], stdout=self._log, stderr=self._log)
        eventually(lambda: answers(self.address), seconds=20)

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)
