"""One hospital's configuration (what Polaris calls the trustomer config): dataclasses only.

`site_source.py` fills them from a TOML or JSON file, or from the trustomer service. Every default
here is what a hospital gets that configures nothing.
"""

from dataclasses import dataclass, field

#: ADT triggers that concern a patient (HL7 v2.x chapter 3; A59 and beyond are rare but legal).
ALL_ADT_TRIGGERS: frozenset[str] = frozenset(f"A{number:02}" for number in range(1, 63)) - {
    "A20",  # bed status update: names no patient
}


@dataclass(frozen=True, slots=True)
class IdentifierTable:
    """How PID-3 repetitions are told apart: by CX.4 assigning authority first, then CX.5 type code.

    Codes are compared without case. `mrn_first_repetition` takes PID-3.1 of the first repetition as
    the MRN when nothing else names one; off unless the site says so.
    """

    nhs_authorities: frozenset[str] = frozenset({"NHS"})
    nhs_types: frozenset[str] = frozenset({"NHS", "NHSNBR", "NHSNMBR", "NH"})
    mrn_authorities: frozenset[str] = frozenset()
    mrn_types: frozenset[str] = frozenset({"MRN", "MR", "PI", "HN", "MEDREC"})
    mrn_first_repetition: bool = False


@dataclass(frozen=True, slots=True)
class Inbound:
    """What is accepted from the hospital. An empty set of processing ids or versions accepts all."""

    accepted: dict[str, frozenset[str]] = field(default_factory=lambda: {"ADT": ALL_ADT_TRIGGERS})
    processing_ids: frozenset[str] = frozenset()
    versions: frozenset[str] = frozenset()
    ignored_encounter_classes: frozenset[str] = frozenset({"WAITLIST", "PREADMIT", "RECURRING"})
    default_charset: str = "utf-8"
    identifiers: IdentifierTable = field(default_factory=IdentifierTable)
    time_zone: str | None = None  # IANA name; None: the setting SERVER_TIMEZONE
    duplicate_policy: str | None = None  # "replay" | "reject"; None: the setting HL7_DUPLICATE_POLICY


@dataclass(frozen=True, slots=True)
class Hl7Config:
    """`hl7_config` of the trustomer contract: what stands in MSH of messages we send."""

    outgoing_processing_id: str = "P"
    outgoing_receiving_application: str = ""
    outgoing_receiving_facility: str = ""
    outgoing_sending_application: str = "DHOS"
    outgoing_sending_facility: str = ""
    outgoing_timestamp_format: str = "%Y%m%d%H%M%S.%L%z"


@dataclass(frozen=True, slots=True)
class OxygenMask:
    """One oxygen mask of `send_config.oxygen_masks`."""

    code: str
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class SendConfig:
    """`send_config` of the trustomer contract: what is sent to the hospital."""

    generate_oru_messages: bool = False
    oxygen_masks: tuple[OxygenMask, ...] = ()


@dataclass(frozen=True, slots=True)
class Site:
    """One hospital, as every room sees it."""

    hl7_config: Hl7Config = field(default_factory=Hl7Config)
    send_config: SendConfig = field(default_factory=SendConfig)
    inbound: Inbound = field(default_factory=Inbound)
