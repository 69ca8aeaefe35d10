"""Settings of the deliveries: the receivers at the hospital. One without an address is not set up."""

from dataclasses import dataclass
from pathlib import Path

from dhos_connector_api.config.setting import Given, Group, setting
from dhos_connector_api.config.values import mllp_url, url
from dhos_connector_api.errors import BadSetting


@dataclass(frozen=True, slots=True, kw_only=True)
class EprSettings(Group):
    """Deliveries to the EPR service adapter."""

    url_base: str | None = setting(
        "EPR_SERVICE_ADAPTER_URL_BASE", url, "EPR service adapter that takes our ORU messages", default=None
    )
    scope: str = setting(
        "EPR_SERVICE_ADAPTER_SCOPE",
        str,
        "Scopes of tokens we send to the adapter",
        default="write:hl7_message",
    )

    def check(self, given: Given) -> None:
        given.need(("EPR_SERVICE_ADAPTER_URL_BASE", "EPR_SERVICE_ADAPTER_ISSUER"))


@dataclass(frozen=True, slots=True, kw_only=True)
class MllpReceiverSettings(Group):
    """Deliveries over MLLP."""

    url: str | None = setting(
        "EPR_MLLP_URL",
        mllp_url,
        "MLLP receiver of ORU messages and acknowledgements: `mllp://host:port`, `mllps://` with TLS",
        default=None,
    )
    ca: Path | None = setting(
        "EPR_MLLP_CA", Path, "File of the authorities its certificate may come from; unset: this machine's",
        default=None,
    )  # fmt: skip
    certificate: Path | None = setting(
        "EPR_MLLP_CERTIFICATE", Path, "File with our certificate, where it asks for one", default=None
    )
    key: Path | None = setting("EPR_MLLP_KEY", Path, "File with that certificate's key", default=None)

    def check(self, given: Given) -> None:
        given.need(
            ("EPR_MLLP_CA", "EPR_MLLP_URL"),
            ("EPR_MLLP_CERTIFICATE", "EPR_MLLP_URL"),
            ("EPR_MLLP_CERTIFICATE", "EPR_MLLP_KEY"),
            ("EPR_MLLP_KEY", "EPR_MLLP_CERTIFICATE"),
        )
        if (self.url or "").startswith("mllp:") and (self.ca or self.certificate):
            raise BadSetting("EPR_MLLP_URL must begin with mllps:// where a CA or a certificate is set")


@dataclass(frozen=True, slots=True, kw_only=True)
class MirthSettings(Group):
    """Deliveries to Mirth."""

    url_base: str | None = setting(
        "MIRTH_HOST_URL_BASE", url, "Mirth server that takes CDA documents; unset: 501", default=None
    )
    username: str | None = setting("MIRTH_USERNAME", str, "Its user; unset: it asks for none", default=None)
    password: str | None = setting("MIRTH_PASSWORD", str, "That user's password", default=None, secret=True)

    def check(self, given: Given) -> None:
        given.need(("MIRTH_USERNAME", "MIRTH_PASSWORD"))
        if self.url_base:
            given.need(("MIRTH_PASSWORD", "MIRTH_USERNAME"))
