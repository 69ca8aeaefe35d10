"""Settings of people: what their tokens are signed with, and how long these hold."""

from dataclasses import dataclass

from dhos_connector_api.config.setting import Given, Group, Setting, newest_first, setting, together
from dhos_connector_api.config.values import integer

#: Bytes of a key in PRODUCTION, as for the platform's.
_LEAST_KEY = 32
#: A key of ours must not be one of the platform's: it would say who signed.
_OTHERS = ("HS_KEY", "HS_KEY_PREVIOUS", "EPR_SERVICE_ADAPTER_HS_KEY", "EPR_SERVICE_ADAPTER_HS_KEY_PREVIOUS")
_KEYS = ("PX_HS_KEY", "PX_HS_KEY_PREVIOUS")


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleSettings(Group):
    """People.

    `keys` are taken all, and the first signs; without one nobody can log in.
    """

    keys: tuple[str, ...] = together(
        Setting(
            "PX_HS_KEY",
            str,
            "Key of persons' tokens (HS512); unset: nobody can log in",
            secret=True,
            least=_LEAST_KEY,
        ),
        Setting(
            "PX_HS_KEY_PREVIOUS",
            str,
            "Second key that is still taken while keys rotate",
            secret=True,
            least=_LEAST_KEY,
        ),
        combine=newest_first,
    )
    access_lifetime: int = setting(
        "PX_ACCESS_SECONDS", integer(30, 3600), "Life of a person's access token", default=600
    )
    refresh_lifetime: int = setting(
        "PX_REFRESH_SECONDS", integer(60, 2_592_000), "Life of a person's refresh token", default=43_200
    )

    def check(self, given: Given) -> None:
        given.need(("PX_HS_KEY_PREVIOUS", "PX_HS_KEY"))
        given.differ(_KEYS)
        for key in _KEYS:
            for other in _OTHERS:
                given.differ((key, other))
