"""One hospital's configuration (what Polaris calls the trustomer config): dataclasses only.

`source` fills them from a TOML or JSON file, or from the trustomer service. Every default
here is what a hospital gets that configures nothing.
"""

from dataclasses import dataclass, field

#: In `Inbound.accepted`: every trigger of that message type.
ALL = "*"
#: ADT triggers that concern a patient (HL7 v2.x chapter 3; A59 and beyond are rare but legal).
ALL_ADT_TRIGGERS: frozenset[str] = frozenset(f"A{number:02}" for number in range(1, 63)) - {
    "A20",  # bed status update: names no patient
}

#: The fields in which senders write the id of an encounter.
ENCOUNTER_IDS = ("PV1-19", "PID-18", "PV1-50", "ZBE-1")


@dataclass(frozen=True, slots=True)
class IdentifierTable:
    """How PID-3 repetitions are told apart: by CX.4 assigning authority first, then CX.5 type code.

    Codes are compared without case. NH is any nation's number (table 0203): the NHS's only with its
    authority. `untyped_is_mrn`: repetitions that say neither are MRNs where no typed one stands beside
    them; with `mrn_first_repetition` the first of these alone.
    """

    nhs_authorities: frozenset[str] = frozenset({"NHS", "2.16.840.1.113883.2.1.4.1"})
    nhs_types: frozenset[str] = frozenset({"NHS", "NHSNBR", "NHSNMBR"})
    mrn_authorities: frozenset[str] = frozenset()
    mrn_types: frozenset[str] = frozenset({"MRN", "MR", "PI", "HN", "MEDREC"})
    mrn_first_repetition: bool = False
    untyped_is_mrn: bool = True


@dataclass(frozen=True, slots=True)
class ClaimedSender:
    """A sender by MSH-3.1 and MSH-4.1; None: any."""

    application: str | None = None
    facility: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """Senders whose messages come through one door: an MLLP listener, or tokens of an issuer.

    `issuer` is `internal` or `epr_adapter`; with `system_id` only its tokens that name that system. A
    sender that several doors claim comes through any of them.
    """

    senders: tuple[ClaimedSender, ...]
    listener: str | None = None
    issuer: str | None = None
    system_id: str | None = None


@dataclass(frozen=True, slots=True)
class Inbound:
    """The messages accepted from the hospital. An empty set of processing ids or versions accepts all.

    `accepted`: message type -> trigger events; `*` among them is every one (of ADT: ALL_ADT_TRIGGERS).
    `claims`: a sender that none of them names comes through any door. With `control_ids_hold_identifiers`
    no log shows MSH-10; with `control_ids_restart_daily` it names another message on another day of MSH-7.
    With `bad_dates` a date of birth that is none refuses the message, or is left out.
    """

    accepted: dict[str, frozenset[str]] = field(default_factory=lambda: {"ADT": ALL_ADT_TRIGGERS})
    processing_ids: frozenset[str] = frozenset()
    versions: frozenset[str] = frozenset()
    ignored_encounter_classes: frozenset[str] = frozenset({"WAITLIST", "PREADMIT", "RECURRING"})
    default_charset: str = "utf-8"
    identifiers: IdentifierTable = field(default_factory=IdentifierTable)
    time_zone: str | None = None  # IANA name; None: the setting SERVER_TIMEZONE
    duplicate_policy: str | None = None  # "replay" | "reject"; None: the setting HL7_DUPLICATE_POLICY
    duplicate_window: float | None = None  # seconds; None: the setting HL7_DUPLICATE_WINDOW
    control_ids_restart_daily: bool = False
    claims: tuple[Claim, ...] = ()
    control_ids_hold_identifiers: bool = False
    bad_dates: str = "refuse"  # | "leave_out"
    encounter_ids: tuple[str, ...] = ("PV1-19",)  # of ENCOUNTER_IDS, the preferred first


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
class DeliveryPolicy:
    """How messages are delivered to one destination. Times are in seconds.

    A failed attempt is followed by the next after the time `schedule` has for it, and up to the part
    `jitter` of that longer; when the schedule is used up, the delivery is dead. `refused_is_final`
    off: an AR is tried again like a failure that passes. At most `at_once` deliveries are under way.
    An attempt may take `timeout`; a process that has not said how it ended after `grace` more is taken
    for dead, and the attempt is made again: `grace` is for connecting, and for a database that is away.
    """

    schedule: tuple[float, ...] = (5, 30, 120, 600, 1800, 7200, 18_000, 36_000, 86_400)
    jitter: float = 0.1
    timeout: float = 20.0
    grace: float = 30.0
    at_once: int = 4
    refused_is_final: bool = True


@dataclass(frozen=True, slots=True)
class Deliveries:
    """How messages go out to each destination, and to which one ORU messages go.

    MLLP has one message in flight: its `at_once` is always 1.
    """

    oru_destination: str = "epr"  # | "mllp"
    epr: DeliveryPolicy = field(default_factory=DeliveryPolicy)
    mllp: DeliveryPolicy = field(default_factory=lambda: DeliveryPolicy(at_once=1))
    mirth: DeliveryPolicy = field(default_factory=DeliveryPolicy)


@dataclass(frozen=True, slots=True)
class Hospital:
    """One hospital of the HIS. `ids` are its HospitalIDs, `names` its HospitalNames as the HIS writes them.

    `time_zone` is the IANA name of its local times; None: the site's (`inbound.time_zone`).
    """

    code: str
    name: str
    time_zone: str | None = None
    ids: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RateLimits:
    """The number of requests of `/api/...` that are taken: from a source, and from each user (the rest)."""

    events_per_hour: int = 1000
    requests_per_minute: int = 100


#: Who sends webhooks: each has an endpoint and secrets of its own.
WEBHOOK_SOURCES = ("his", "lis", "emr")


@dataclass(frozen=True, slots=True)
class WebhookOptions:
    """`form` is the signature that is required: `any`, or `standard` (Standard Webhooks) only."""

    form: str = "any"


@dataclass(frozen=True, slots=True)
class His:
    """How the HIS's JSON and webhooks are understood. Sources are in lower case.

    `visit_types` adds to the known ones: what the HIS writes -> canonical event code. `rate_limits`
    has what differs from the default, by source; `webhooks` likewise.
    """

    hospitals: tuple[Hospital, ...] = ()
    visit_types: dict[str, str] = field(default_factory=dict)
    rate_limits: dict[str, RateLimits] = field(default_factory=dict)
    webhooks: dict[str, WebhookOptions] = field(default_factory=dict)

    def limits_of(self, source: str) -> RateLimits:
        """The limits of that source."""
        return self.rate_limits.get(source.lower(), self.rate_limits.get("*", RateLimits()))

    def webhook_of(self, source: str) -> WebhookOptions:
        """How webhooks of that source are taken."""
        return self.webhooks.get(source.lower(), WebhookOptions())


#: The kinds of journey of a patient.
JOURNEY_TYPES = ("ems", "inpatient", "opd", "day_case")


@dataclass(frozen=True, slots=True)
class Journeys:
    """How encounters become journeys. Sources are in lower case.

    `encounter_types`: PV1-2 (upper case) -> type of journey; `source_types`: of sources that do not tell it.
    `namespaces`: sources that number encounters and patients by themselves, each with a name for it; all
    others share one, as PV1-19 and a HIS's AdmissionID are the same stay in most hospitals.
    """

    encounter_types: dict[str, str] = field(
        default_factory=lambda: {
            **dict.fromkeys(("I", "INPATIENT"), "inpatient"),
            **dict.fromkeys(("O", "OUTPATIENT"), "opd"),
            **dict.fromkeys(("E", "EMERGENCY"), "ems"),
        }
    )
    source_types: dict[str, str] = field(default_factory=dict)
    namespaces: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Site:
    """One hospital, as every room sees it."""

    hl7_config: Hl7Config = field(default_factory=Hl7Config)
    send_config: SendConfig = field(default_factory=SendConfig)
    inbound: Inbound = field(default_factory=Inbound)
    deliveries: Deliveries = field(default_factory=Deliveries)
    his: His = field(default_factory=His)
    journeys: Journeys = field(default_factory=Journeys)
