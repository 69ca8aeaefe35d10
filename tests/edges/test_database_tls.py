"""PostgreSQL over TLS, by single settings and by one address, and of several hosts the one that writes."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import text

from dhos_connector_api.app.storage import open_database
from dhos_connector_api.causes import Cause
from dhos_connector_api.errors import StorageUnavailable
from tests.builders.rows import settings
from tests.rigs.certificates import Authority
from tests.rigs.own_postgres import OwnPostgres
from tests.rigs.tls_postgres import TlsPostgres

pytestmark = pytest.mark.slow
_SPOKEN = text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")


class Rig:
    """A server that takes no connection without TLS, and who made its certificate."""

    def __init__(self, folder: Path) -> None:
        self.authority, self.other = Authority(folder, "ours"), Authority(folder, "theirs")
        self.server = TlsPostgres(self.authority.issue("localhost", "DNS:localhost"))

    def environ(self, **changes: str) -> dict[str, str]:
        """The settings of who trusts the server, with changes; '' takes one away."""
        usual = self.server.address.environment() | {
            "DATABASE_HOST": "localhost",
            "DATABASE_SSLMODE": "verify-full",
            "DATABASE_SSLROOTCERT": str(self.authority.own.file),
        }
        return {name: value for name, value in (usual | changes).items() if value}

    def url(self, hosts: str = "", more: str = "") -> dict[str, str]:
        """The same as one address."""
        address = self.server.address
        hosts = hosts or f"localhost:{address.port}"
        who = f"{quote(address.user)}:{quote(address.password or '', safe='')}"
        tls = f"sslmode=verify-full&sslrootcert={quote(str(self.authority.own.file), safe='')}"
        return {"DATABASE_URL": f"postgresql://{who}@{hosts}/{address.name}?{tls}{more}"}


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    made = Rig(tmp_path_factory.mktemp("tls"))
    yield made
    made.server.close()


def speaks_tls(environ: dict[str, str]) -> bool:
    database = open_database(settings(**environ))
    try:
        with database.statements() as connection:
            return bool(connection.execute(_SPOKEN).scalar_one())
    finally:
        database.engine.dispose()


def cause(environ: dict[str, str]) -> Cause:
    with pytest.raises(StorageUnavailable) as caught:
        speaks_tls(environ)
    assert caught.value.fault is not None
    return caught.value.fault.cause


def test_what_trusts_the_server_speaks_tls_with_it(rig: Rig) -> None:
    assert speaks_tls(rig.environ())
    assert speaks_tls(rig.url())
    assert speaks_tls(rig.environ(DATABASE_SSLMODE="require", DATABASE_SSLROOTCERT=""))


def test_what_does_not_is_told_as_tls(rig: Rig) -> None:
    assert cause(rig.environ(DATABASE_SSLROOTCERT=str(rig.other.own.file))) is Cause.TLS
    assert cause(rig.environ(DATABASE_HOST="127.0.0.1")) is Cause.TLS
    assert cause(rig.environ(DATABASE_SSLROOTCERT="/nowhere.pem")) is Cause.TLS
    assert cause(rig.environ(DATABASE_SSLMODE="disable", DATABASE_SSLROOTCERT="")) is Cause.LOGIN
    assert cause(rig.environ(DATABASE_PASSWORD="CANARYWORD")) is Cause.LOGIN


def test_of_several_hosts_in_an_address_the_one_that_writes_is_used(
    own_postgres: OwnPostgres, tmp_path: Path
) -> None:
    standby = own_postgres.standby(tmp_path / "standby")
    standby.start()
    try:
        first, second = standby.address, own_postgres.address
        who = f"{quote(first.user)}:{quote(first.password or '', safe='')}"
        hosts = f"127.0.0.1:1,127.0.0.1:{first.port},127.0.0.1:{second.port}"
        environ = settings(DATABASE_URL=f"postgresql://{who}@{hosts}/{first.name}")
        database = open_database(environ)
        with database.statements() as connection:
            assert connection.execute(text("SHOW transaction_read_only")).scalar_one() == "off"
        database.engine.dispose()
        own_postgres.shut_down()
        with pytest.raises(StorageUnavailable) as caught, open_database(environ).statements():
            pass
        assert caught.value.fault is not None
        assert caught.value.fault.cause is Cause.REFUSED
    finally:
        standby.close()
