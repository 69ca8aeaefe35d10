"""Settings of the audit trail."""

from dataclasses import dataclass

from dhos_connector_api.config.setting import Group, setting
from dhos_connector_api.config.values import seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings(Group):
    """Audit trail."""

    kept: int | None = setting(
        "AUDIT_RETENTION",
        seconds,
        "How long the audit trail is kept, by whole months; its seals stay; unset: for ever",
        default=None,
    )
