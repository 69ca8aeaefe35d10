"""/docs and /redoc in Chromium: the token of a login opens operations, and no other host is asked."""

from collections.abc import Iterator

import httpx
import pytest

from dhos_connector_api.db.engine import Database
from tests.builders.api import serving
from tests.builders.people import PASSWORD, a_user, people_api
from tests.rigs.chromium import Tab, chromium, program

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(program() is None, reason="NO CHROMIUM: pages are not tried (install chromium)"),
]
#: ReDoc draws its maker's emblem from there, which the page's policy refuses.
_EMBLEM = "https://cdn.redoc.ly/redoc/logo-mini.svg"
#: Types into a field as a person does: React hears of nothing else.
_TYPE = """((field, text) => {
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(field, text);
  field.dispatchEvent(new Event("input", {bubbles: true}));
})"""


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    with chromium() as one:
        yield one


@pytest.fixture
def base(database: Database) -> Iterator[str]:
    with database.transaction() as connection:
        a_user(connection, 100, username="otter")
    with serving(people_api(database, DOCS_ENABLED="true")) as port:
        yield f"http://127.0.0.1:{port}"


def click(tab: Tab, selector: str) -> None:
    """Click what a selector finds, as soon as it is there."""
    tab.until(f"(each => each && (each.click(), true))(document.querySelector({selector!r}))")


@pytest.mark.parametrize("path", ["/docs", "/api/docs/"])
def test_authorize_takes_the_token_of_a_login(base: str, tab: Tab, path: str) -> None:
    login = httpx.post(f"{base}/api/auth/token/", json={"username": "otter", "password": PASSWORD})
    tab.open(base + path)
    click(tab, ".btn.authorize")
    tab.until("[...document.querySelectorAll('.auth-container')].length >= 3")
    person = "[...document.querySelectorAll('.auth-container')].find(e => e.innerText.includes('person'))"
    tab.run(f"{_TYPE}({person}.querySelector('input'), {login.json()['access']!r})")
    tab.run(f"{person}.querySelector('button.authorize').click()")
    tab.until(f"{person}.innerText.includes('Logout')")
    click(tab, ".btn-done")
    click(tab, "#operations-auth-get_me .opblock-summary-control")
    click(tab, "#operations-auth-get_me .try-out__btn")
    click(tab, "#operations-auth-get_me .execute")
    answer = "document.querySelector('#operations-auth-get_me .live-responses-table .response')"
    tab.until(f"{answer} && {answer}.innerText.startsWith('200')")
    assert '"username": "otter"' in tab.run(f"{answer}.innerText")
    assert tab.complaints == []
    assert [each for each in tab.requests if not each.startswith((base, "data:"))] == []


@pytest.mark.parametrize("path", ["/redoc", "/api/redoc/"])
def test_redoc_shows_the_specification_and_asks_nobody_else(base: str, tab: Tab, path: str) -> None:
    tab.open(base + path)
    tab.until("document.body.innerText.includes('Log in, and get an access token and a refresh token')")
    assert [each for each in tab.requests if not each.startswith((base, "data:"))] in ([], [_EMBLEM])
    assert [each for each in tab.complaints if _EMBLEM not in each] == []
