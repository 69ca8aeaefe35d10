"""The part `his` of the site's configuration, and the settings that go with it."""

import secrets
from pathlib import Path

import pytest

from dhos_connector_api.errors import BadSetting, BadSite
from dhos_connector_api.http.settings import WebhookSettings
from dhos_connector_api.site.model import His, Hospital, RateLimits, WebhookOptions
from dhos_connector_api.site.schema import parse
from dhos_connector_api.site.source import read_file
from tests.builders.rows import settings

TOML = """
[[his.hospitals]]
code = "ALH-main"
name = "Main"
time_zone = "Asia/Riyadh"
ids = ["1"]
names = ["ALH MAIN"]

[his.visit_types]
"Radiology done" = "RADIOLOGY_DONE"

[his.rate_limits.HIS]
events_per_hour = 5000

[his.webhooks.lis]
form = "standard"
"""


def test_a_file_says_what_the_his_needs(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(TOML)
    his = read_file(tmp_path / "site.toml").his
    hospital = Hospital("ALH-main", "Main", "Asia/Riyadh", frozenset({"1"}), frozenset({"ALH MAIN"}))
    assert his.hospitals == (hospital,)
    assert his.visit_types == {"Radiology done": "RADIOLOGY_DONE"}
    assert his.limits_of("his") == his.limits_of("HIS") == RateLimits(5000, 100)
    assert his.limits_of("lis") == RateLimits(1000, 100)
    assert (his.webhook_of("LIS"), his.webhook_of("his")) == (
        WebhookOptions("standard"),
        WebhookOptions("any"),
    )
    assert parse({}).his == His()


@pytest.mark.parametrize(
    ("his", "named"),
    [
        ({"hospitals": [{"code": "A"}]}, "hospitals"),
        ({"hospitals": [{"code": "A", "name": "A", "time_zone": "Nowhere/At_all"}]}, "time_zone"),
        ({"hospitals": [{"code": "A", "name": "A"}, {"code": "B", "name": "B", "ids": ["a "]}]}, "hospitals"),
        ({"rate_limits": {"his": {"events_per_hour": 0}}}, "events_per_hour"),
        ({"rate_limits": {"his": {"events_per_hour": "many"}}}, "events_per_hour"),
        ({"webhooks": {"his": {"form": "none"}}}, "form"),
        ({"webhooks": {"hsi": {"form": "standard"}}}, "hsi"),
        ({"visit_types": {"a": ""}}, "visit_types"),
        ({"visit_typos": {}}, "visit_typos"),
    ],
)
def test_what_does_not_fit_is_named(his: dict[str, object], named: str) -> None:
    with pytest.raises(BadSite, match=named):
        parse({"his": his})


def test_webhook_secrets_rotate_and_stay_unseen() -> None:
    new, old = secrets.token_hex(16), secrets.token_hex(16)
    chosen = settings(HIS_WEBHOOK_SECRET=new, HIS_WEBHOOK_SECRET_PREVIOUS=old)
    assert chosen.of(WebhookSettings).secrets == {"his": (new, old), "lis": (), "emr": ()}


@pytest.mark.parametrize(
    "environ",
    [
        {"HIS_WEBHOOK_SECRET_PREVIOUS": "a" * 32},
        {"HIS_WEBHOOK_SECRET": "a" * 32, "LIS_WEBHOOK_SECRET": "a" * 32},
        {"RATE_LIMIT_STORAGE": "memcached://there"},
    ],
)
def test_settings_that_cannot_be_meant_stop_the_start(environ: dict[str, str]) -> None:
    with pytest.raises(BadSetting):
        settings(**environ)


def test_in_production_a_short_webhook_secret_stops_the_start() -> None:
    production = {
        "ENVIRONMENT": "PRODUCTION",
        "DATABASE_HOST": "db",
        "DATABASE_PASSWORD": secrets.token_hex(4),
    }
    assert settings(**production, HIS_WEBHOOK_SECRET=secrets.token_hex(12))
    with pytest.raises(BadSetting, match="HIS_WEBHOOK_SECRET"):
        settings(**production, HIS_WEBHOOK_SECRET=secrets.token_hex(11))
