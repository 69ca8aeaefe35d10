"""Where the database is, as settings say it: one address, several hosts, TLS."""

import pytest

from dhos_connector_api.app.configuration import read
from dhos_connector_api.app.storage import database_address
from dhos_connector_api.db.settings import DatabaseSettings
from dhos_connector_api.errors import BadSetting
from tests.builders.rows import settings


def test_an_address_says_all_of_it() -> None:
    url = "postgresql://u%40x:p%3A%2F@db1,db2:5433/name?sslmode=verify-full&sslrootcert=/etc/ca.pem"
    address = database_address(settings(DATABASE_URL=url))
    assert (address.host, address.ports, address.name) == ("db1,db2", "5432,5433", "name")
    assert (address.user, address.password) == ("u@x", "p:/")
    assert address.tls == (("sslmode", "verify-full"), ("sslrootcert", "/etc/ca.pem"))
    assert address.label == "db1,db2:5432,5433/name"
    one = database_address(settings(DATABASE_URL="postgres://db"))
    assert (one.host, one.port, one.ports, one.name) == ("db", 5432, "", "dhos-connector-api")


def test_single_settings_say_the_same() -> None:
    environ = {"DATABASE_HOST": "db1,db2", "DATABASE_PORT": "5433", "DATABASE_SSLMODE": "verify-full"}
    address = database_address(settings(**environ, DATABASE_SSLROOTCERT="/etc/ca.pem"))
    assert (address.host, address.port) == ("db1,db2", 5433)
    assert address.tls == (("sslmode", "verify-full"), ("sslrootcert", "/etc/ca.pem"))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("db", "must be an address such as postgresql://"),
        ("mysql://CANARY", "must be an address such as postgresql://"),
        ("postgresql:///name", "must be an address such as postgresql://"),
        ("postgresql://CANARY:p w@db", "must be an address such as postgresql://"),
        ("postgresql://db?sslmode=CANARY", "must be an address such as postgresql://"),
        *(
            (url, "must be an address such as postgresql://")
            for url in (
                *("postgresql://u@db:CANARY", "postgresql://u@db:99999", "postgresql://u@db:0"),
                *("postgresql://u@db:-1", "postgresql://u@db?port=1,2", "postgresql://u@a,b?port=1,2,3"),
                # What was not written as %40 or %2F: a part of the password would be a host or a port.
                *(
                    "postgresql://u:p@CANARY@db/x",
                    "postgresql://u:CANARY/et@db/x",
                    "postgresql://u:1/CANARY@db/x",
                ),
            )
        ),
        ("postgresql://db?nothing=CANARY", "must be an address such as postgresql://"),
        ("postgresql://db:CANARY/name", "must be an address such as postgresql://"),
        ("postgresql://db1,db2:65536/name", "must be an address such as postgresql://"),
        ("postgresql://db1,db2,db3/name?port=1,2", "must be an address such as postgresql://"),
        ("postgresql://db?options=CANARY", "says what is not for it to say: options"),
        ("postgresql://db?target_session_attrs=any", "must leave target_session_attrs at read-write"),
    ],
)
def test_an_address_that_cannot_be_used_is_named_and_not_shown(url: str, expected: str) -> None:
    with pytest.raises(BadSetting, match="DATABASE_URL") as caught:
        settings(DATABASE_URL=url)
    assert caught.value.text.startswith(f"DATABASE_URL {expected}")
    assert "CANARY" not in caught.value.text


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"DATABASE_URL": "postgresql://db", "DATABASE_HOST": "db", "DATABASE_PASSWORD": "p"},
         "DATABASE_URL and DATABASE_HOST, DATABASE_PASSWORD are both set: use one"),
        ({"DATABASE_SSLMODE": "perhaps"},
         "DATABASE_SSLMODE must be one of disable, allow, prefer, require, verify-ca, verify-full"),
        ({"DATABASE_SSLCERT": "c"}, "DATABASE_SSLKEY is missing, and DATABASE_SSLCERT needs it"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_named(environ: dict[str, str], expected: str) -> None:
    with pytest.raises(BadSetting) as caught:
        settings(**environ)
    assert caught.value.text == expected


def test_production_wants_a_password_in_the_address() -> None:
    production = {"ENVIRONMENT": "PRODUCTION", "DATABASE_URL": "postgresql://u:p@db"}
    assert read(production, DatabaseSettings).of(DatabaseSettings).is_set
    with pytest.raises(BadSetting, match=r"^DATABASE_URL has no password$"):
        read(production | {"DATABASE_URL": "postgresql://u@db"}, DatabaseSettings)


def test_an_address_that_cannot_be_read_is_all_that_is_told() -> None:
    with pytest.raises(BadSetting) as caught:
        read({"ENVIRONMENT": "PRODUCTION", "DATABASE_URL": "postgresql://u:p@db:x"}, DatabaseSettings)
    assert "missing" not in caught.value.text


@pytest.mark.parametrize("host", ["[::1]", "[fe80::1%25eth0]", "%2Frun%2Fpg", "a,b,[::1]"])
def test_every_kind_of_host_is_taken(host: str) -> None:
    assert database_address(settings(DATABASE_URL=f"postgresql://u:p@{host}/x")).port == 5432
