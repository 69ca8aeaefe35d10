"""Settings: typed, complete, and one line that names what is wrong."""

from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from dhos_connector_api.app.configuration import describe, groups
from dhos_connector_api.app.configuration import read as load
from dhos_connector_api.broker.settings import BrokerSettings
from dhos_connector_api.config.load import describe as describe_groups
from dhos_connector_api.config.load import load as load_groups
from dhos_connector_api.config.setting import Given, Group, Setting, newest_first, setting, together
from dhos_connector_api.config.settings import ServiceSettings
from dhos_connector_api.config.values import integer
from dhos_connector_api.db.settings import RetentionSettings
from dhos_connector_api.deliveries.settings import MirthSettings
from dhos_connector_api.errors import BadSetting
from dhos_connector_api.http.settings import HttpSettings, TokenSettings
from dhos_connector_api.intake.settings import IntakeSettings
from dhos_connector_api.messages.settings import MessageSettings

GOOD = {"ENVIRONMENT": "DEVELOPMENT", "PROXY_URL": "http://platform.test", "HS_KEY": "k" * 64}
PRODUCTION = GOOD | {
    "ENVIRONMENT": "PRODUCTION",
    "DATABASE_HOST": "db",
    "DATABASE_PASSWORD": "p",
}


def test_the_issuer_is_the_proxy_url_with_one_slash() -> None:
    for url in ("http://platform.test", "http://platform.test/", "http://platform.test//"):
        assert load(GOOD | {"PROXY_URL": url}).of(TokenSettings).issuer == "http://platform.test/"
    assert load(GOOD | {"HS_ISSUER": "other"}).of(TokenSettings).issuer == "other"


@pytest.mark.parametrize(
    ("name", "value", "group", "attribute", "expected"),
    [
        ("HL7_DUPLICATE_WINDOW", "7d", IntakeSettings, "duplicate_window", timedelta(days=7).total_seconds()),
        ("HL7_DUPLICATE_WINDOW", "90", IntakeSettings, "duplicate_window", 90),
        ("UNPROCESSED_AFTER", "15m", MessageSettings, "unprocessed_after", 900),
        ("SERVER_TIMEZONE", "Europe/London", IntakeSettings, "time_zone", ZoneInfo("Europe/London")),
        ("RABBITMQ_DISABLED", "True", BrokerSettings, "disabled", True),
        ("LOG_LEVEL", "debug", ServiceSettings, "log_level", "DEBUG"),
        ("SERVER_PORT", "", HttpSettings, "port", 5000),
    ],
)
def test_values_are_read_as_what_they_are(
    name: str, value: str, group: type[Group], attribute: str, expected: object
) -> None:
    assert getattr(load(GOOD | {name: value}).of(group), attribute) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SERVER_PORT", "0"),
        ("SERVER_PORT", "65536"),
        ("SERVER_PORT", "x"),
        ("SERVER_TIMEZONE", "Mars/Olympus"),
        ("SERVER_TIMEZONE", "../etc/passwd"),
        ("HL7_DUPLICATE_WINDOW", "a week"),
        ("HL7_DUPLICATE_WINDOW", "999999d"),
        ("HL7_DUPLICATE_POLICY", "maybe"),
        ("RABBITMQ_DISABLED", "perhaps"),
        ("ENVIRONMENT", "STAGING"),
        ("EPR_MLLP_URL", "http://epr.test:2575"),
        ("EPR_MLLP_URL", "mllp://epr.test"),
        ("EPR_MLLP_URL", "mllps://user@epr.test:2575"),
    ],
)
def test_a_bad_value_is_named_but_not_shown(name: str, value: str) -> None:
    with pytest.raises(BadSetting) as caught:
        load(GOOD | {name: value})
    assert caught.value.text.startswith(name)
    assert "\n" not in caught.value.text
    assert len(value) < 3 or value not in caught.value.text


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"HS_KEY": ""}, "HS_KEY"),
        ({"PROXY_URL": ""}, "HS_ISSUER"),
        ({"EPR_SERVICE_ADAPTER_ISSUER": "x"}, "EPR_SERVICE_ADAPTER_HS_KEY"),
        ({"EPR_SERVICE_ADAPTER_HS_KEY": "x"}, "EPR_SERVICE_ADAPTER_ISSUER"),
        ({"EPR_MLLP_CA": "x"}, "EPR_MLLP_URL"),
        ({"EPR_MLLP_URL": "mllps://x:1", "EPR_MLLP_KEY": "x"}, "EPR_MLLP_CERTIFICATE"),
        ({"MIRTH_USERNAME": "x"}, "MIRTH_PASSWORD"),
        ({"MIRTH_HOST_URL_BASE": "http://mirth.test", "MIRTH_PASSWORD": "x"}, "MIRTH_USERNAME"),
        ({"DHOS_TRUSTOMER_API_HOST": "x"}, "CUSTOMER_CODE"),
        ({"DHOS_TRUSTOMER_API_HOST": "x", "CUSTOMER_CODE": "x"}, "POLARIS_API_KEY"),
    ],
)
def test_what_is_missing_is_named(environ: dict[str, str], name: str) -> None:
    with pytest.raises(BadSetting, match=f"^{name} is missing"):
        load(GOOD | environ)


@pytest.mark.parametrize(
    "environ",
    [
        {"MIRTH_HOST_URL_BASE": "http://mirth.test/services/Mirth"},
        {"MIRTH_HOST_URL_BASE": "http://mirth.test", "MIRTH_USERNAME": "", "MIRTH_PASSWORD": ""},
        {"MIRTH_HOST_URL_BASE": "http://mirth.test", "MIRTH_USERNAME": "u", "MIRTH_PASSWORD": "p"},
    ],
)
def test_mirth_may_do_without_a_user(environ: dict[str, str]) -> None:
    found = load(PRODUCTION | environ).of(MirthSettings)
    assert found.url_base == environ["MIRTH_HOST_URL_BASE"]
    assert bool(found.username) is bool(environ.get("MIRTH_USERNAME"))


def test_certificates_for_mllp_without_tls_are_a_mistake() -> None:
    with pytest.raises(BadSetting, match="EPR_MLLP_URL must begin with mllps"):
        load(GOOD | {"EPR_MLLP_URL": "mllp://epr.test:2575", "EPR_MLLP_CA": "ca.pem"})


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"DATABASE_HOST": ""}, "DATABASE_HOST"),
        ({"DATABASE_PASSWORD": ""}, "DATABASE_PASSWORD"),
        ({"RABBITMQ_HOST": "mq"}, "RABBITMQ_PASSWORD"),
        ({"HS_KEY": "short"}, "HS_KEY"),
        ({"EPR_SERVICE_ADAPTER_HS_KEY_PREVIOUS": "a"}, "EPR_SERVICE_ADAPTER_HS_KEY_PREVIOUS"),
    ],
)
def test_production_has_no_default_for_what_is_secret(environ: dict[str, str], name: str) -> None:
    load(PRODUCTION)
    with pytest.raises(BadSetting, match=f"^{name} "):
        load(PRODUCTION | environ)


def test_every_setting_is_described() -> None:
    described = list(describe())
    assert len({each.name for each in described}) == len(described)
    assert all(each.text for each in described)
    assert [each.name for each in described if each.required] == ["HS_KEY"]
    assert not [each.name for each in described if each.secret and each.default not in (None, "guest")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Own(Group):
    """Settings of this test."""

    most: int = setting("OWN_MOST", integer(1, 9), "How many", default=5)
    both: tuple[str, ...] = together(
        Setting("OWN_A", str, "One"), Setting("OWN_B", str, "The other"), combine=newest_first
    )

    def check(self, given: Given) -> None:
        given.need(("OWN_B", "OWN_A"))


def test_a_group_is_read_checked_and_described_as_it_is_declared() -> None:
    own = load_groups({"OWN_MOST": "7", "OWN_A": "a"}, [_Own]).of(_Own)
    assert (own.most, own.both) == (7, ("a",))
    with pytest.raises(BadSetting, match=r"^OWN_A is missing, and OWN_B needs it$"):
        load_groups({"OWN_B": "b"}, [_Own])
    with pytest.raises(BadSetting, match=r"^OWN_MOST must be a whole number from 1 to 9$"):
        load_groups({"OWN_MOST": "10"}, [_Own])
    told = [(each.group, each.name, each.default) for each in describe_groups([_Own])]
    name = "Settings of this test"
    assert told == [(name, "OWN_MOST", "5"), (name, "OWN_A", None), (name, "OWN_B", None)]


def test_groups_are_found_in_every_room_that_declares_some() -> None:
    rooms = {group.__module__.split(".")[1] for group in groups()}
    assert rooms >= {"config", "db", "broker", "http", "mllp", "site", "intake", "deliveries", "messages"}
    assert groups()[0] is ServiceSettings


def test_the_newest_key_signs_and_both_are_taken() -> None:
    tokens = load(GOOD | {"HS_KEY_PREVIOUS": "old"}).of(TokenSettings)
    assert tokens.keys == (GOOD["HS_KEY"], "old")
    assert load(GOOD).of(TokenSettings).keys == (GOOD["HS_KEY"],)


@pytest.mark.parametrize(("published", "applied"), [("1d", 14), ("7d", 14), ("8d", 16), ("30d", 60)])
def test_what_is_applied_is_known_longer_than_it_can_be_published(published: str, applied: int) -> None:
    kept = load(GOOD | {"OUTBOX_RETENTION": published}).of(RetentionSettings)
    assert kept.applied == applied * 86400


def test_no_key_of_one_issuer_is_one_of_another() -> None:
    adapter = {"EPR_SERVICE_ADAPTER_ISSUER": "x", "EPR_SERVICE_ADAPTER_HS_KEY": GOOD["HS_KEY"]}
    with pytest.raises(BadSetting, match="two of them are the same"):
        load(GOOD | adapter)
