"""Where the site's configuration comes from: a TOML or JSON file, the trustomer service, or defaults.

The trustomer service is asked outside any transaction. What it answered last is used while it is
fresh, and further on when a refresh fails.
"""

import json
import logging
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from threading import Lock

import requests

from dhos_connector_api.errors import BadSite, SiteUnavailable
from dhos_connector_api.site.model import Site
from dhos_connector_api.site.schema import parse
from dhos_connector_api.site.settings import SiteSettings

_log = logging.getLogger(__name__)

#: Seconds the trustomer service has to answer; seconds until a failed refresh is tried again, with
#: an earlier answer to go on with and without one.
_TIMEOUT = 5
_RETRY_AFTER = 30
_FIRST_RETRY_AFTER = 2


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
    """The site as the trustomer service has it, cached for `ttl` seconds."""

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

    def __call__(self) -> Site:
        """Return the site; ask the service when the last answer is stale, one caller at a time.

        Raises SiteUnavailable while there has never been an answer.
        """
        if self._monotonic() >= self._fresh_until and self._lock.acquire(blocking=False):
            try:
                self._refresh()
            finally:
                self._lock.release()
        if self._good is None:
            raise SiteUnavailable("the trustomer service has not answered with a usable configuration")
        return self._good

    def _refresh(self) -> None:
        try:
            answer = requests.get(self._url, headers=self._headers, timeout=_TIMEOUT, allow_redirects=False)
            answer.raise_for_status()
            self._good = parse(answer.json(), strict=False)
            self._fresh_until = self._monotonic() + self._ttl
        except (requests.RequestException, ValueError, TypeError, AttributeError, BadSite) as error:
            pause = _RETRY_AFTER if self._good is not None else _FIRST_RETRY_AFTER
            self._fresh_until = self._monotonic() + min(pause, self._ttl)
            _log.warning("site configuration not refreshed", extra={"cause": type(error).__name__})


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
    return lambda: site
