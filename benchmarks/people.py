"""People: logins a second, `me`, and lists and searches of 100,000 users, beside the bare queries."""

import http.client
import json
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import quote
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, create_engine, text, true

from benchmarks.harness import Bench
from benchmarks.table import Row, quantile
from dhos_connector_api.db.engine import Database, engine_options
from dhos_connector_api.px.people import search, store
from dhos_connector_api.px.people.passwords import Passwords
from dhos_connector_api.px.people.search import Filters

PART = "people"
_USERS = 100_000
_QUERIES = 200
#: Milliseconds that a list may take.
MOST = 50.0
_OK = 200
_PASSWORD = "correct horse battery"  # noqa: S105
_LOGINS, _AT_ONCE = 60, 2
#: Hospitals, users with the roles of levels 30 and 80 among them, and the admin who asks.
_FILL = f"""
INSERT INTO hospital (id, created_at, updated_at, code, name)
SELECT gen_random_uuid(), now(), now(), 'BENCH' || n, 'Hospital ' || n FROM generate_series(1, 20) n;
INSERT INTO px_user (id, created_at, updated_at, username, email, password_hash, first_name, last_name,
    employee_id, hospital_id, words)
SELECT gen_random_uuid(), now(), now(), 'user' || n, 'user' || n || '@hospital.example.com', 'x',
    'First' || n % 1000, 'Last' || n % 5000, 'E' || n,
    (SELECT id FROM hospital WHERE code = 'BENCH' || (1 + n % 20)),
    ARRAY['user' || n, 'first' || n % 1000, 'last' || n % 5000, 'e' || n]
FROM generate_series(1, {_USERS}) n;
INSERT INTO user_role (user_id, role_id, granted_at)
SELECT u.id, r.id, now() FROM px_user u JOIN role r ON r.level = 30 WHERE u.password_hash = 'x';
VACUUM ANALYZE px_user; VACUUM ANALYZE user_role
"""


def measure(bench: Bench) -> list[Row]:
    """p50 and p99 of each question, over HTTP and as SQL, and how many log in a second."""
    engine = create_engine(bench.database.url(), **engine_options(pool_size=1, statement_timeout=120))
    database = Database(engine)
    try:
        with database.statements() as connection:
            for statement in _FILL.split(";"):
                connection.execute(text(statement))
        with admin(bench) as password:
            return [*_over_sql(database), *_over_http(bench, password), *_hashes()]
    finally:
        engine.dispose()


#: Of each benchmark's admin, who is made once, whichever parts need him.
_PASSWORDS: WeakKeyDictionary[Bench, str] = WeakKeyDictionary()


@contextmanager
def admin(bench: Bench) -> Iterator[str]:
    """Processes started meanwhile know an admin, whom nothing limits. Gives his password."""
    text_ = "[his.rate_limits.'*']\nevents_per_hour = 9999999\nrequests_per_minute = 9999999\n"
    site = bench.write("people.toml", text_)
    keys = {"PX_HS_KEY": secrets.token_hex(64), "AUTH_REQUESTS_PER_MINUTE": "100000"}
    with bench.settings(SITE_CONFIG=str(site), **keys):
        if bench not in _PASSWORDS:
            _PASSWORDS[bench] = bench.command("people", "create-admin")
        yield _PASSWORDS[bench]


def timed_rows(part: str, name: str, milliseconds: list[float], most: float) -> list[Row]:
    """The rows of p50 and p99; `most` is what the latter may be."""
    return [
        Row(part, f"{name}, p50", quantile(milliseconds, 0.5), "ms"),
        Row(part, f"{name}, p99", quantile(milliseconds, 0.99), "ms", most=most),
    ]


def timed(ask: Callable[[int], object]) -> list[float]:
    """Milliseconds of each question, after twenty that do not count."""
    for number in range(20):
        ask(number)
    times = []
    for number in range(_QUERIES):
        before = time.perf_counter()
        ask(number)
        times.append((time.perf_counter() - before) * 1000)
    return times


def _list(connection: Connection, filters: Filters, offset: int = 0) -> None:
    count = search.count(connection, true(), filters)
    part = {"limit": 50, "offset": offset, "count": count}
    rows = search.page(connection, true(), filters, ordering="username", **part)
    store.roles_of(connection, [row["id"] for row in rows])


def _over_sql(database: Database) -> list[Row]:
    with database.statements() as connection:
        first = timed(lambda _: _list(connection, Filters()))
        found = timed(lambda n: _list(connection, Filters(search=f"last{n + 10} first{n + 10}")))
    return [
        *timed_rows(PART, "SQL, first page", first, MOST),
        *timed_rows(PART, "SQL, search", found, MOST),
    ]


def signed_in(bench: Bench, password: str) -> tuple[Callable[[str], None], Callable[[int], str]]:
    """Two functions: one gets an address as the admin, the other logs in once more."""
    connection = http.client.HTTPConnection(bench.host)
    admin = {"username": "admin", "password": password}

    def log_in(_: int = 0) -> str:
        own = http.client.HTTPConnection(bench.host)
        own.request("POST", "/api/auth/token/", json.dumps(admin), {"Content-Type": "application/json"})
        answer = own.getresponse()
        body = json.loads(answer.read())
        own.close()
        if answer.status != _OK:
            raise SystemExit(f"the login was answered {answer.status}")
        return str(body["access"])

    headers = {"Authorization": f"Bearer {log_in()}"}

    def ask(path: str) -> None:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != _OK:
            raise SystemExit(f"{path} answered {answer.status}: {body[:300]!r}")

    return ask, log_in


def _over_http(bench: Bench, password: str) -> list[Row]:
    with bench.web():
        get, log_in = signed_in(bench, password)

        def asked(name: str, path: Callable[[int], str], most: float = MOST) -> list[Row]:
            return timed_rows(PART, f"HTTP, {name}", timed(lambda n: get("/api/auth/users/" + path(n))), most)

        rows = [
            *asked("me", lambda _: "me/"),
            *asked("first page", lambda _: ""),
            *asked("200 on a page", lambda _: "?page_size=200"),
            *asked("last page", lambda _: f"?page={_USERS // 50}", 100),
            *asked("by a role that all have", lambda _: "?groups=Nurse"),
            *asked("those not active", lambda _: "?is_active=false"),
            *asked("search", lambda n: f"?search={quote(f'last{n + 10} first{n + 10}')}"),
            *asked("search for what all have", lambda _: "?search=first"),
            *asked("search for what nobody has", lambda n: f"?search=nobody{n}"),
        ]
        before = time.perf_counter()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(log_in, range(_LOGINS)))
        seconds = time.perf_counter() - before
    return [*rows, Row(PART, "logins", _LOGINS / seconds, "/s", note=f"{_AT_ONCE} at once")]


def _hashes() -> list[Row]:
    passwords = Passwords()
    hash_ = passwords.hash(_PASSWORD)
    before = time.perf_counter()
    for _ in range(20):
        passwords.fits(hash_, _PASSWORD)
    each = (time.perf_counter() - before) / 20 * 1000
    return [Row(PART, "argon2id alone", each, "ms", note="what a login costs nearly all of")]
