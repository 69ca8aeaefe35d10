"""Backup and restore of a database by PostgreSQL's own programs, as the runbook says."""

import subprocess
from pathlib import Path

from dhos_connector_api.db import embedded_account
from dhos_connector_api.db.engine import DatabaseAddress


def program(name: str, address: DatabaseAddress, *options: str) -> None:
    """Run one of PostgreSQL's programs, of the version of the embedded server, on that database."""
    folder = Path(embedded_account.__file__).parent
    found = embedded_account.Programs.for_data(folder / "none").folder / name
    where = {"PGHOST": address.host, "PGPORT": str(address.port), "PGUSER": address.user}
    environ = where | {"PGPASSWORD": address.password or "", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([found, *options], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def back_up_and_restore(source: DatabaseAddress, target: DatabaseAddress, folder: Path) -> None:
    """The two commands of the runbook."""
    dump = str(folder / "connector.dump")
    program("pg_dump", source, "--format=custom", f"--file={dump}", source.name)
    program("pg_restore", target, f"--dbname={target.name}", "--exit-on-error", "--single-transaction", dump)
