"""Settings of the site: where this hospital's configuration comes from."""

from dataclasses import dataclass
from pathlib import Path

from dhos_connector_api.config.setting import Given, Group, setting
from dhos_connector_api.config.values import seconds
from dhos_connector_api.errors import BadSetting


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSettings(Group):
    """The site's configuration.

    `fresh_for` is how long one that was fetched is fresh, in seconds.
    """

    file: Path | None = setting(
        "SITE_CONFIG", Path, "TOML or JSON file with this hospital's configuration", default=None
    )
    trustomer_host: str | None = setting(
        "DHOS_TRUSTOMER_API_HOST", str, "Trustomer service to fetch that configuration from", default=None
    )
    customer_code: str | None = setting(
        "CUSTOMER_CODE", str, "This hospital's code at the trustomer service", default=None
    )
    polaris_api_key: str | None = setting(
        "POLARIS_API_KEY", str, "Key for the trustomer service", default=None, secret=True
    )
    fresh_for: int = setting(
        "TRUSTOMER_CONFIG_CACHE_TTL_SEC", seconds, "How long a fetched configuration is fresh", default=3600
    )

    def check(self, given: Given) -> None:
        given.need(
            ("DHOS_TRUSTOMER_API_HOST", "CUSTOMER_CODE"), ("DHOS_TRUSTOMER_API_HOST", "POLARIS_API_KEY")
        )
        if self.file and self.trustomer_host:
            raise BadSetting("SITE_CONFIG and DHOS_TRUSTOMER_API_HOST are both set; use one")
