"""Claims of senders in a site file: read, and refused in one line where they cannot be meant so."""

from pathlib import Path

import pytest

from dhos_connector_api.app import incoming
from dhos_connector_api.app.tokens import issuers_of
from dhos_connector_api.errors import BadSite
from dhos_connector_api.site.claims_schema import ISSUERS
from dhos_connector_api.site.model import Claim, ClaimedSender
from dhos_connector_api.site.schema import parse
from dhos_connector_api.site.source import read_file
from tests.builders.rows import settings

_SENDERS = [{"application": "CERNER", "facility": "RBH"}, {"facility": "LAB"}]
_FILE = '[[inbound.claims]]\nlistener = "epr"\nsenders = [{ application = "CERNER" }]\n'


def test_claims_are_read_from_the_file(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(_FILE)
    assert read_file(tmp_path / "site.toml").inbound.claims == (Claim((ClaimedSender("CERNER"),), "epr"),)
    by_token = {"issuer": "epr_adapter", "system_id": "bridge", "senders": _SENDERS}
    (claim,) = parse({"inbound": {"claims": [by_token]}}).inbound.claims
    assert claim.senders == (ClaimedSender("CERNER", "RBH"), ClaimedSender(facility="LAB"))
    assert (claim.listener, claim.issuer, claim.system_id) == (None, "epr_adapter", "bridge")


@pytest.mark.parametrize(
    ("claim", "entry"),
    [
        ({"senders": _SENDERS}, "listener"),
        ({"listener": "epr", "issuer": "internal", "senders": _SENDERS}, "listener"),
        ({"listener": "epr", "system_id": "x", "senders": _SENDERS}, "system_id"),
        ({"issuer": "somebody", "senders": _SENDERS}, "issuer"),
        ({"issuer": "internal", "senders": []}, "senders"),
        ({"issuer": "internal", "senders": [{}]}, "senders"),
        ({"issuer": "internal"}, "senders"),
        ({"api_key": "his", "senders": _SENDERS}, "api_key"),
    ],
)
def test_a_claim_that_cannot_be_meant_so_is_a_bad_site(claim: dict[str, object], entry: str) -> None:
    with pytest.raises(BadSite, match=f"inbound.claims.0.{entry}") as raised:
        parse({"inbound": {"claims": [claim]}})
    assert "\n" not in raised.value.text
    assert "somebody" not in raised.value.text


def test_a_listener_that_is_none_is_a_bad_site_where_listeners_are_known(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(_FILE)
    here = settings(SITE_CONFIG=str(tmp_path / "site.toml"))
    with pytest.raises(BadSite, match=r"inbound\.claims\.0\.listener is no listener"):
        incoming.intake(here, ["lab"])
    assert incoming.intake(here, ["epr", "lab"])().site.inbound.claims
    assert incoming.intake(here)().site.inbound.claims, "a web process knows no listeners"


def test_the_issuers_of_claims_are_those_of_tokens() -> None:
    assert {each.name for each in issuers_of(settings())} == set(ISSUERS)


def test_where_a_new_answer_claims_for_no_listener_the_one_before_stays() -> None:
    claims = [{"listener": "epr", "senders": _SENDERS}]
    sites = [parse({"inbound": {"claims": claims}})]
    source = incoming.IntakeSource(settings(), lambda: sites[0], ["epr"])
    before = source()
    sites[0] = parse({"inbound": {"claims": [*claims, {"listener": "x", "senders": _SENDERS}]}})
    assert source() is before
    sites[0] = parse({})
    assert source() is not before
