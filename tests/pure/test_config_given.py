"""What stands in the environment: everything wrong at once, secrets in files, links of Kubernetes, slips."""

from pathlib import Path

import pytest

from dhos_connector_api.app.configuration import describe, groups, read
from dhos_connector_api.broker.settings import BrokerSettings
from dhos_connector_api.config import environment
from dhos_connector_api.config.load import load
from dhos_connector_api.db.settings import DatabaseSettings
from dhos_connector_api.errors import BadSetting
from dhos_connector_api.http.settings import HttpSettings, TokenSettings

GOOD = {"ENVIRONMENT": "DEVELOPMENT", "PROXY_URL": "http://platform.test", "HS_KEY": "k" * 64}
PRODUCTION = {"ENVIRONMENT": "PRODUCTION"}


def problems(environ: dict[str, str]) -> list[str]:
    """What stops the start, one by one."""
    with pytest.raises(BadSetting) as caught:
        read(environ)
    assert "\n" not in caught.value.text
    return caught.value.text.split("; ")


def test_everything_missing_and_bad_is_told_at_once() -> None:
    bad = {"SERVER_PORT": "CANARY", "LOG_LEVEL": "CANARY", "RABBITMQ_HOST": "mq", "EPR_MLLP_CA": "ca.pem"}
    found = problems(PRODUCTION | bad)
    names = [each.partition(" ")[0] for each in found]
    assert sorted(names) == [
        *("DATABASE_HOST", "DATABASE_PASSWORD", "EPR_MLLP_URL", "HS_ISSUER", "HS_KEY", "LOG_LEVEL"),
        *("RABBITMQ_PASSWORD", "SERVER_PORT"),
    ]
    assert "CANARY" not in "".join(found)


def test_each_is_told_once() -> None:
    found = problems(GOOD | {"HS_KEY": "", "HS_KEY_PREVIOUS": ""})
    assert found == ["HS_KEY is missing"]


def test_migrate_needs_the_settings_of_the_database_only() -> None:
    assert read({"DATABASE_HOST": "db", "DATABASE_PASSWORD": "p"}, DatabaseSettings)
    with pytest.raises(BadSetting, match=r"^DATABASE_HOST is missing"):
        read({}, DatabaseSettings)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("OUTBOX_RETENTON", "OUTBOX_RETENTION"),
        ("RABBITMQ_HOSTS", "RABBITMQ_HOST"),
        ("HS_KEY_PREVIUS", "HS_KEY_PREVIOUS"),
        ("DATABASE_PASSWORD_FIEL", "DATABASE_PASSWORD_FILE"),
    ],
)
def test_a_misspelt_setting_is_named(name: str, meant: str) -> None:
    assert read(GOOD | {name: "CANARY"}).remarks == (f"{name} is no setting; is {meant} meant?",)


def test_a_misspelt_setting_is_named_where_the_start_stops_for_its_lack() -> None:
    found = problems(GOOD | {"HS_KEY": "", "HS_KEYS": "CANARY"})
    assert "; ".join(found) == "HS_KEY is missing; HS_KEYS is no setting; is HS_KEY meant?"


def test_what_others_set_is_not_remarked() -> None:
    others = {
        "HTTP_PROXY": "x",
        "LOG_DIR": "x",
        "PATH": "x",
        "OUTBX_RETENTION": "x",
        "RABBITMQ_SERVICE_HOST": "10.0.0.1",
        "RABBITMQ_SERVICE_PORT": "5672",
        "RABBITMQ_PORT_5672_TCP": "tcp://10.0.0.1:5672",
        "RABBITMQ_PORT_5672_TCP_ADDR": "10.0.0.1",
        "SERVER_NAME": "x",
    }
    assert read(GOOD | others).remarks == ()
    assert read({"DATABASE_HOST": "db", "DATABASE_PASSWORD": "p"} | GOOD, DatabaseSettings).remarks == ()


def test_a_service_link_of_kubernetes_is_no_port() -> None:
    links = dict.fromkeys(("RABBITMQ_PORT", "DATABASE_PORT", "SERVER_PORT"), "tcp://10.0.0.1:80")
    found = read(GOOD | links)
    assert found.of(BrokerSettings).port is None
    assert found.of(DatabaseSettings).port == 5432
    assert found.of(HttpSettings).port == 5000
    assert len(found.remarks) == 3
    assert all("is ignored" in each and "10.0.0.1" not in each for each in found.remarks)


@pytest.mark.parametrize("name", [each.name for each in describe() if each.secret])
def test_every_secret_may_stand_in_a_file(name: str, tmp_path: Path) -> None:
    secret = "whsec_" + "c2VjcmV0" * 8 if "WEBHOOK" in name else "s" * 64
    secret = {
        "RATE_LIMIT_STORAGE": "redis://127.0.0.1:6379/0",
        "RABBITMQ_URL": "amqps://u:p@mq.test",
        "RABBITMQ_MANAGEMENT_URL": "https://u:p@mq.test:15671",
        "DATABASE_URL": "postgresql://u:p@db.test/name",
    }.get(name, secret)
    file = tmp_path / "secret"
    file.write_text(f"  {secret} \n")
    more = {name.removesuffix("_PREVIOUS"): "p" * 64} if name.endswith("_PREVIOUS") else {}
    more |= {"EPR_SERVICE_ADAPTER_ISSUER": "x"} if name.startswith("EPR_SERVICE") else {}
    more |= {"RABBITMQ_URL": "amqps://u:p@mq.test"} if name == "RABBITMQ_MANAGEMENT_URL" else {}
    environ = GOOD | more
    environ.pop(name, None)
    direct = read(environ | {name: secret})
    in_file = read(environ | {f"{name}_FILE": str(file)})
    assert [in_file.of(each) for each in groups()] == [direct.of(each) for each in groups()]
    assert in_file.remarks == ()
    file.write_bytes(b"\xef\xbb\xbf" + secret.encode() + b"\r\n")  # as an editor of Windows leaves it
    assert [read(environ | {f"{name}_FILE": str(file)}).of(each) for each in groups()] == [
        direct.of(each) for each in groups()
    ]


def test_a_secret_in_two_places_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("f" * 64)
    assert problems(GOOD | {"HS_KEY_FILE": str(file)}) == ["HS_KEY and HS_KEY_FILE are both set: use one"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [(None, "cannot be read: No such file"), (b" \n", "is empty"), (b"\xff\xfe", "is no UTF-8 text")],
)
def test_a_file_that_cannot_be_used_is_named_and_not_shown(
    tmp_path: Path, content: bytes | None, expected: str
) -> None:
    file = tmp_path / "CANARY"
    if content is not None:
        file.write_bytes(content)
    (found, *_) = problems({**GOOD, "HS_KEY": "", "HS_KEY_FILE": str(file)})
    assert found.startswith(f"HS_KEY_FILE {expected}")
    assert "CANARY" not in found


def test_white_space_around_a_value_does_not_count() -> None:
    found = read(GOOD | {"HS_KEY": f" {GOOD['HS_KEY']}\n", "SERVER_PORT": " 8080 ", "RABBITMQ_HOST": "  "})
    assert found.of(TokenSettings).keys == (GOOD["HS_KEY"],)
    assert (found.of(HttpSettings).port, found.of(BrokerSettings).host) == (8080, None)


def test_a_secret_has_as_many_bytes_as_the_table_says() -> None:
    least = {each.name: each.least for each in describe() if each.least}
    assert least["HS_KEY"] == 32
    assert least["LIS_WEBHOOK_SECRET_PREVIOUS"] == 24
    good = {"DATABASE_HOST": "db", "DATABASE_PASSWORD": "p", "ENVIRONMENT": "PRODUCTION"}
    for name, bytes_ in least.items():
        environ = {name.removesuffix("_PREVIOUS"): "o" * 64, name: "s" * (bytes_ - 1)}
        environ |= {"EPR_SERVICE_ADAPTER_ISSUER": "x"} if name.startswith("EPR_SERVICE") else {}
        expected = f"{name} is too short: it needs {bytes_} bytes at least"
        assert problems(GOOD | good | environ) == [expected]
        assert read(GOOD | environ)


def test_a_child_gets_its_own_secret_and_not_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD_FILE", "/run/secrets/password")
    assert "DATABASE_PASSWORD_FILE" in environment.of_child({})
    child = environment.of_child({"DATABASE_PASSWORD": "made"})
    assert (child["DATABASE_PASSWORD"], "DATABASE_PASSWORD_FILE" in child) == ("made", False)


def test_groups_that_are_not_read_have_known_settings() -> None:
    environ = {"DATABASE_HOST": "db", "DATABASE_PASSWORD": "p", "OUTBOX_RETENTION": "7d"}
    assert load(environ, [DatabaseSettings], groups()).remarks == ()
    assert load(environ | {"DATABASE_HOSTS": "x"}, [DatabaseSettings], groups()).remarks
