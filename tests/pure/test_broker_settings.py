"""Where RabbitMQ is, as settings say it: one address, several hosts, TLS."""

from typing import Any

import pytest

from dhos_connector_api.app.brokers import broker_addresses, broker_management
from dhos_connector_api.app.configuration import read
from dhos_connector_api.broker.settings import BrokerSettings
from dhos_connector_api.errors import BadSetting
from tests.builders.rows import settings


def places(**environ: str) -> list[Any]:
    return [
        (each.host, each.port, each.vhost, each.username, each.password, each.tls is not None)
        for each in broker_addresses(settings(**environ))
    ]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("amqp://mq", [("mq", 5672, "/", "guest", "guest", False)]),
        ("amqps://u:p@mq/v", [("mq", 5671, "v", "u", "p", True)]),
        ("amqp://u%40x:p%3A%2F@mq:1234/%2F", [("mq", 1234, "/", "u@x", "p:/", False)]),
        (
            "amqps://u:p@mq1,mq2:99,[::1]:98/v",
            [
                ("mq1", 5671, "v", "u", "p", True),
                ("mq2", 99, "v", "u", "p", True),
                ("::1", 98, "v", "u", "p", True),
            ],
        ),
    ],
)
def test_an_address_says_all_of_it(url: str, expected: list[Any]) -> None:
    assert places(RABBITMQ_URL=url) == expected


def test_several_hosts_have_one_port_unless_they_say_another() -> None:
    found = places(RABBITMQ_HOST="mq1, mq2:5673", RABBITMQ_PORT="5680", RABBITMQ_TLS="true")
    assert [each[:2] for each in found] == [("mq1", 5680), ("mq2", 5673)]
    assert all(each[-1] for each in found)
    assert places(RABBITMQ_URL="amqp://mq", RABBITMQ_DISABLED="true") == places() == []


def test_an_ipv6_address_needs_no_brackets_where_it_says_no_port() -> None:
    found = places(RABBITMQ_HOST="fd00::1,[fd00::2]:5673,::ffff:10.0.0.1")
    assert [each[:2] for each in found] == [("fd00::1", 5672), ("fd00::2", 5673), ("::ffff:10.0.0.1", 5672)]


@pytest.mark.parametrize(
    "url",
    [
        *(
            "mq",
            "http://CANARY",
            "amqp://",
            "amqp://CANARY:0",
            "amqp://CANARY:99999",
            "amqp://a b",
            "amqp://a,,b",
        ),
        *(
            "amqp://CANARY/v/w",
            "amqp://CANARY?x=1",
            "amqp://CANARY:port",
            "amqp://u:p@[CANARY",
            "amqp://u:1/CANARY@mq",
        ),
    ],
)
def test_an_address_that_cannot_be_read_is_named_and_not_shown(url: str) -> None:
    with pytest.raises(BadSetting, match=r"^RABBITMQ_URL must be an address such as amqps://") as caught:
        settings(RABBITMQ_URL=url)
    assert "CANARY" not in caught.value.text


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (
            {"RABBITMQ_URL": "amqp://mq", "RABBITMQ_HOST": "mq"},
            "RABBITMQ_URL and RABBITMQ_HOST are both set: use one",
        ),
        (
            {"RABBITMQ_HOST": "mq", "RABBITMQ_CA": "ca.pem"},
            "RABBITMQ_CA needs RABBITMQ_TLS=true, or an address that begins with amqps",
        ),
        (
            {"RABBITMQ_URL": "amqps://mq", "RABBITMQ_KEY": "k"},
            "RABBITMQ_CERTIFICATE is missing, and RABBITMQ_KEY needs it",
        ),
        (
            {"RABBITMQ_HOST": "a b"},
            "RABBITMQ_HOST must be a host, or several with commas between, each with or without a port",
        ),
    ],
)
def test_what_cannot_be_meant_is_named(environ: dict[str, str], expected: str) -> None:
    with pytest.raises(BadSetting) as caught:
        settings(**environ)
    assert caught.value.text == expected


def test_production_wants_a_password_in_the_address() -> None:
    production = {
        "ENVIRONMENT": "PRODUCTION", "PROXY_URL": "http://platform.test", "HS_KEY": "k" * 64,
        "DATABASE_HOST": "db", "DATABASE_PASSWORD": "p",
    }  # fmt: skip
    assert read(production | {"RABBITMQ_URL": "amqps://u:p@mq"}).of(BrokerSettings).is_used
    with pytest.raises(BadSetting, match=r"^RABBITMQ_URL has no password$"):
        read(production | {"RABBITMQ_URL": "amqps://u@mq"})


def test_certificates_that_cannot_be_used_are_named_without_their_path() -> None:
    environ = settings(RABBITMQ_URL="amqps://mq", RABBITMQ_CA="/CANARY/ca.pem")
    with pytest.raises(BadSetting, match=r"^RABBITMQ_CA, .* cannot be used$") as caught:
        broker_addresses(environ)
    assert "CANARY" not in caught.value.text


@pytest.mark.parametrize(
    ("url", "login", "tls"),
    [
        ("http://mq:15672", ("u", "p"), False),
        ("https://mq:15671/prefix/", ("u", "p"), True),
        ("https://watch%40x:p%3A%2F@mq", ("watch@x", "p:/"), True),
        ("http://watch@[::1]:15672", ("watch", ""), False),
    ],
)
def test_the_management_api_is_asked_as_the_brokers_user_or_as_another(
    url: str, login: tuple[str, str], tls: bool
) -> None:
    found = broker_management(settings(RABBITMQ_URL="amqp://u:p@mq/v", RABBITMQ_MANAGEMENT_URL=url))
    assert found is not None
    assert (found.vhost, found.username, found.password, found.tls is not None) == ("v", *login, tls)
    assert "@" not in found.url
    assert not found.url.endswith("/")
    assert "password" not in repr(found)


def test_no_management_api_is_asked_where_there_is_no_broker() -> None:
    given = {"RABBITMQ_MANAGEMENT_URL": "http://mq:15672"}
    assert broker_management(settings(RABBITMQ_HOST="mq")) is None
    assert broker_management(settings(RABBITMQ_HOST="mq", RABBITMQ_DISABLED="true", **given)) is None
    with pytest.raises(BadSetting, match=r"^RABBITMQ_MANAGEMENT_URL needs RABBITMQ_HOST or RABBITMQ_URL$"):
        settings(**given)


@pytest.mark.parametrize(
    "url",
    [
        "mq",
        "amqp://CANARY",
        "http://",
        "http://CANARY:0",
        "http://CANARY:port",
        "http://a b",
        "http://u:1/CANARY@mq",
        "http://mq?CANARY",
        "http://[CANARY",
    ],
)
def test_a_management_address_that_cannot_be_read_is_named_and_not_shown(url: str) -> None:
    with pytest.raises(BadSetting, match=r"^RABBITMQ_MANAGEMENT_URL must be an address such as") as caught:
        settings(RABBITMQ_HOST="mq", RABBITMQ_MANAGEMENT_URL=url)
    assert "CANARY" not in caught.value.text
