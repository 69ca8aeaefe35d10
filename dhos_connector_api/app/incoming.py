"""What messages are received with: the site as it is now, zone, duplicate policy, transformer."""

import logging
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from zoneinfo import ZoneInfo

from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.settings import RetentionSettings
from dhos_connector_api.errors import BadSetting, BadSite
from dhos_connector_api.hl7v2.charsets import codec_named
from dhos_connector_api.http.settings import TokenSettings
from dhos_connector_api.intake.arrival import Intake
from dhos_connector_api.intake.control_ids import log_key
from dhos_connector_api.intake.settings import IntakeSettings
from dhos_connector_api.site import source
from dhos_connector_api.site.model import Hospital, Inbound, Site
from dhos_connector_api.site.settings import SiteSettings

_log = logging.getLogger(__name__)


class IntakeSource:
    """Gives what messages are received with now; made anew only when the site has changed.

    `listeners` are the names of the MLLP listeners, where they are known: a site that names another is bad.
    `hospitals` gives hospitals of the HIS beside those of the site, which come first.
    """

    def __init__(
        self,
        settings: Settings,
        site: Callable[[], Site],
        listeners: Collection[str] | None = None,
        hospitals: Callable[[], tuple[Hospital, ...]] = tuple,
    ) -> None:
        self._settings = settings.of(IntakeSettings)
        self._log_keys = log_keys(settings)
        self._kept = settings.of(RetentionSettings).messages
        self._listeners = listeners
        self._site = site
        self._transform = transformer(self._settings.transformer_module, "transform_incoming")
        self._hospitals = hospitals
        self._made: tuple[Site, tuple[Hospital, ...], Intake] | None = None
        if not settings.of(SiteSettings).trustomer_host:
            self()  # a file that cannot be used stops the start; the trustomer service may come later

    def __call__(self) -> Intake:
        """Return it. Raises BadSite, SiteUnavailable."""
        site, hospitals = self._site(), self._hospitals()
        made = self._made
        if made is None or made[0] is not site or made[1] is not hospitals:
            intake = self._made_for(_with_hospitals(site, hospitals), None if made is None else made[2])
            made = self._made = (site, hospitals, intake)
        return made[2]

    def _made_for(self, site: Site, before: Intake | None) -> Intake:
        """Return that site's intake; where it is bad the one before. Raises BadSite where there was none."""
        try:
            _check_claims(site, self._listeners)
            _check_window(site, self._kept)
            return _intake(self._settings, site, self._transform, self._log_keys[0])
        except BadSite as error:
            if before is None:
                raise
            _log.error("the site's configuration is bad; the one before stays", extra={"cause": str(error)})
            return before


def _with_hospitals(site: Site, hospitals: tuple[Hospital, ...]) -> Site:
    """Return the site with more hospitals of its HIS, and more that the HIS calls its own.

    Where both know a name the site's configuration has the last word: its own hospitals come last.
    """
    if not hospitals:
        return site
    more = {each.code: each for each in hospitals}
    own = [_called_more(each, more.pop(each.code, None)) for each in site.his.hospitals]
    return replace(site, his=replace(site.his, hospitals=(*more.values(), *own)))


def _called_more(hospital: Hospital, more: Hospital | None) -> Hospital:
    if more is None:
        return hospital
    return replace(hospital, ids=hospital.ids | more.ids, names=hospital.names | more.names)


def intake(
    settings: Settings,
    listeners: Collection[str] | None = None,
    hospitals: Callable[[], tuple[Hospital, ...]] = tuple,
) -> IntakeSource:
    """Return what gives the intake of this installation, as its site is now. Raises BadSetting, BadSite."""
    return IntakeSource(settings, site(settings), listeners, hospitals)


def _check_claims(site: Site, listeners: Collection[str] | None) -> None:
    """Raises BadSite where a claim is that of no listener: nobody could send for its senders."""
    for number, claim in enumerate(site.inbound.claims):
        if claim.listener is not None and listeners is not None and claim.listener not in listeners:
            raise BadSite(f"site configuration does not fit: inbound.claims.{number}.listener is no listener")


def _check_window(site: Site, kept: int | None) -> None:
    """Raises BadSite where a control id would belong to a message for longer than messages are kept."""
    window = site.inbound.duplicate_window
    if kept is not None and window is not None and window > kept:
        raise BadSite("site configuration does not fit: inbound.duplicate_window is over MESSAGE_RETENTION")


def site(settings: Settings) -> Callable[[], Site]:
    """Return what gives the site's configuration as it is now: from its file, or the trustomer service."""
    return source.source(settings.of(SiteSettings))


def log_keys(settings: Settings) -> list[bytes]:
    """Return the keys by which logs show control ids: first the one in use, then HS_KEY_PREVIOUS's."""
    return [log_key(secret) for secret in settings.of(TokenSettings).keys]


def _intake(
    settings: IntakeSettings, site: Site, transform: Callable[[str], str] | None, key: bytes
) -> Intake:
    inbound = site.inbound
    if codec_named(inbound.default_charset) is None:
        raise BadSite("site configuration does not fit: inbound.default_charset")
    return Intake(
        site=site,
        zone=ZoneInfo(inbound.time_zone) if inbound.time_zone else settings.time_zone,
        duplicate_policy=inbound.duplicate_policy or settings.duplicate_policy,
        duplicate_window=timedelta(seconds=_window(inbound, settings)),
        transform=transform,
        log_key=key if inbound.control_ids_hold_identifiers else None,
    )


def _window(inbound: Inbound, settings: IntakeSettings) -> float:
    """Seconds that a control id belongs to one message; also 0 where the site says so."""
    return settings.duplicate_window if inbound.duplicate_window is None else inbound.duplicate_window


def transformer(module_name: str | None, function_name: str) -> Callable[[str], str] | None:
    """Return the site's function of that name, None without a module. Raises BadSetting when it has none."""
    if module_name is None:
        return None
    try:
        function: Callable[[str], str] = getattr(import_module(module_name), function_name)
    except (ImportError, AttributeError):
        raise BadSetting(f"HL7_TRANSFORMER_MODULE has no function {function_name}") from None
    return function
