"""Where the site's configuration comes from: a TOML or JSON file, the trustomer service, or defaults.

The trustomer service is asked outside any transaction, on no thread that does anything else. What it
answered last is used while it is fresh, and further on while it is asked again and when that fails.
"""

import json
import logging
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from threading import Lock, Thread

from dhos_connector_api import http_request
from dhos_connector_api.errors import BadSite, SiteUnavailable
from dhos_connector_api.http_request import NotAnswered
from dhos_connector_api.site.model import Site
from dhos_connector_api.site.schema import parse, parse_answer
from dhos_connector_api.site.settings import SiteSettings
from dhos_connector_api.site.useless import Useless, useless

_log = logging.getLogger(__name__)

#: Seconds the trustomer service has to answer; seconds until a failed refresh is tried again, with
#: an earlier answer to go on with and without one.
_TIMEOUT = 5.0
_RETRY_AFTER = 30
_FIRST_RETRY_AFTER = 2
#: Seconds from the first attempt of all that everybody waits for its answer.
FIRST_WAIT = 2.0
#: Bytes of its answer.
_LARGEST_ANSWER = 1_000_000
#: Entries without effect that are told of.
_MOST_WARNINGS = 50
_LONGEST_NAME = 200


def read_file(path: Path) -> Site:
    """Return the site of a `.json` file, or of any other as TOML. Raises BadSite."""
    try:
        content = path.read_bytes()
        data = json.loads(content) if path.suffix == ".json" else tomllib.loads(content.decode())
    except OSError as error:
        raise BadSite(f"SITE_CONFIG cannot be read: {error.strerror}") from None
    except ValueError:
        raise BadSite("SITE_CONFIG is neither good TOML nor good JSON") from None
    if not isinstance(data, dict):
        raise BadSite("SITE_CONFIG must hold a table")
    return parse(data)


class TrustomerSource:
    """The site as the trustomer service has it, cached for `ttl` seconds.

    It is asked from a thread of its own: whoever needs the site while it is asked gets the last good answer.
    """

    def __init__(
        self,
        host: str,
        customer_code: str,
        api_key: str,
        ttl: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = f"{host.rstrip('/')}/dhos/v1/trustomer/{customer_code.lower()}"
        self._headers = {
            "Authorization": api_key,
            "X-Trustomer": customer_code.lower(),
            "X-Product": "polaris",
        }
        self._ttl = ttl
        self._monotonic = monotonic
        self._lock = Lock()
        self._good: Site | None = None
        self._fresh_until = 0.0
        self._asking: Thread | None = None
        self._first: tuple[Thread, float] | None = None
        self._warned: list[Useless] = []

    def __call__(self) -> Site:
        """Return the site; have the service asked when the last answer is stale.

        The first attempt of all is waited for, FIRST_WAIT seconds after it began at most. Raises
        SiteUnavailable while there has never been an answer.
        """
        with self._lock:
            if self._asking is None and self._monotonic() >= self._fresh_until:
                self._begin()
        if self._good is None and self._first is not None:
            thread, until = self._first
            thread.join(max(0.0, until - time.monotonic()))
        if self._good is None:
            raise SiteUnavailable("the trustomer service has not answered with a usable configuration")
        return self._good

    def _begin(self) -> None:
        """Ask it, on a thread of its own. The lock is held."""
        thread = Thread(target=self._refresh, name="trustomer", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no more threads just now
            _log.warning("site configuration not refreshed", extra={"cause": "no thread for it"})
            self._fresh_until = self._monotonic() + _FIRST_RETRY_AFTER
            return
        self._asking = thread
        self._first = self._first or (thread, time.monotonic() + FIRST_WAIT)

    def _refresh(self) -> None:
        good = None
        try:
            good = self._ask()
        except (NotAnswered, ValueError, TypeError, AttributeError, RecursionError, BadSite) as error:
            _log.warning("site configuration not refreshed", extra={"cause": _cause(error)})
        finally:  # whatever else it may be: nobody would ask again
            self._done(good)

    def _ask(self) -> Site:
        """Return what the service answers. Raises NotAnswered, ValueError, BadSite."""
        reply = http_request.request(
            "GET", self._url, seconds=_TIMEOUT, headers=self._headers, largest_answer=_LARGEST_ANSWER
        )
        if not reply.succeeded:
            raise NotAnswered(f"HTTP status {reply.status}", sent=True)
        data = json.loads(reply.body)
        if not isinstance(data, dict):
            raise TypeError("the answer holds no table")
        site, unknown = parse_answer(data)
        warnings = [Useless(entry, "is not known") for entry in unknown] + useless(site)
        if warnings != self._warned:  # not anew at each refresh
            _warn(warnings)
            self._warned = warnings
        return site

    def _done(self, good: Site | None) -> None:
        with self._lock:
            self._good = good or self._good
            pause = _RETRY_AFTER if self._good is not None else _FIRST_RETRY_AFTER
            self._fresh_until = self._monotonic() + (self._ttl if good else min(pause, self._ttl))
            self._asking = None


def _cause(error: Exception) -> str:
    return error.cause if isinstance(error, NotAnswered) else type(error).__name__


def _warn(entries: list[Useless]) -> None:
    for each in entries[:_MOST_WARNINGS]:
        extra = {"entry": each.entry[:_LONGEST_NAME], "cause": each.cause}
        _log.warning("an entry of the site's configuration has no effect", extra=extra)


def source(settings: SiteSettings) -> Callable[[], Site]:
    """Return a function that gives the site now. A file that `settings` name is read at once (BadSite)."""
    if settings.trustomer_host and settings.customer_code:
        return TrustomerSource(
            settings.trustomer_host,
            settings.customer_code,
            settings.polaris_api_key or "",
            settings.fresh_for,
        )
    site = read_file(settings.file) if settings.file else Site()
    _warn(useless(site))
    return lambda: site
