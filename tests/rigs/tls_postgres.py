"""A PostgreSQL that takes connections with TLS alone: Debian's, for the embedded one is built without."""

import os
import secrets
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from dhos_connector_api.db.embedded import free_port
from dhos_connector_api.db.embedded_account import Programs
from dhos_connector_api.db.engine import DatabaseAddress
from tests.rigs.certificates import Certificate
from tests.rigs.own_postgres import answers
from tests.rigs.waiting import eventually

_RULES = "hostssl all all all scram-sha-256\n"


def programs() -> Path:
    """The folder of the newest server that Debian has installed here."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        pytest.skip("NO POSTGRESQL WITH TLS ON THIS MACHINE: it is not tested (install postgresql)")
    return found[-1].parent


class TlsPostgres:
    """Made and started; its address asks for TLS and trusts any certificate."""

    def __init__(self, certificate: Certificate) -> None:
        own = programs()
        self._folder = Path(tempfile.mkdtemp(prefix="connector-postgres-tls-"))
        self._folder.chmod(0o755)
        self._log = (self._folder / "log").open("ab")
        self._data = self._folder / "data"
        self._programs = replace(Programs.for_data(self._data), folder=own)
        self._programs.make_folder(self._data)
        password = secrets.token_hex(16)
        self.address = DatabaseAddress(
            "127.0.0.1", free_port(), "postgres", "connector", password, tls=(("sslmode", "require"),)
        )
        self._make(certificate, password)
        options = (
            f"--port={self.address.port}", "--listen_addresses=127.0.0.1", "--unix_socket_directories=",
            "--ssl=on", "--ssl_cert_file=server.pem", "--ssl_key_file=server.key",
        )  # fmt: skip
        self._process = self._programs.start("postgres", *options, folder=self._data, log=self._log)
        eventually(lambda: answers(self.address), seconds=30)

    def _make(self, certificate: Certificate, password: str) -> None:
        file = self._own("password", password)
        self._programs.run(
            "initdb", "--username=connector", "--auth=scram-sha-256", f"--pwfile={file}",
            "--encoding=UTF8", "--locale=C", folder=self._data, log=self._log,
        )  # fmt: skip
        (self._data / "pg_hba.conf").write_text(_RULES)
        for name, file in (("server.pem", certificate.file), ("server.key", certificate.key)):
            self._own(name, file.read_text()).rename(self._data / name)

    def _own(self, name: str, content: str) -> Path:
        """A file that only the server's account may read."""
        made = self._folder / name
        made.write_text(content)
        made.chmod(0o600)
        if self._programs.user is not None and self._programs.group is not None:
            os.chown(made, self._programs.user, self._programs.group)
        return made

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)
