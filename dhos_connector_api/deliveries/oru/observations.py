"""The OBX segments of an observation set, in the order of the contract (HL7 chapter 7, OBX)."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo

from dhos_connector_api.deliveries.oru.input import Part, as_is, rounded, whole
from dhos_connector_api.errors import BadInput
from dhos_connector_api.hl7v2.build import formatted, numbered, utf8_component
from dhos_connector_api.site.model import OxygenMask

_SCORE_SYSTEMS = ("NEWS2", "MEOWS")
_AIR = "21"  # percent of oxygen when nothing else is said
_REFUSED = "patient_refused"  # a name of the input, and the value the EPR gets


@dataclass(frozen=True, slots=True)
class Times:
    """How times are read and written: the zone of both, and the site's pattern."""

    zone: tzinfo
    pattern: str

    def written(self, moment: datetime) -> str:
        """Return the aware moment, in the zone, as a field."""
        return utf8_component(formatted(moment.astimezone(self.zone), self.pattern))

    def of(self, part: Part, name: str) -> str:
        """Return the time under the name as a field; '' for none. Raises BadInput when it cannot be read."""
        moment = part.moment(name, self.zone)
        return "" if moment is None else self.written(moment)


@dataclass(frozen=True, slots=True)
class Line:
    """One OBX before it has its number; every field is escaped already."""

    kind: str  # OBX-2
    code: str  # OBX-3
    value: str  # OBX-5
    at: str  # OBX-14
    unit: str = ""  # OBX-6.2
    reference_range: str = ""  # OBX-7
    abnormal_flags: str = ""  # OBX-8
    collector: str = ""  # OBX-16

    def segment(self, number: int) -> str:
        """Return the segment with its place among all OBX, counted from 1."""
        fields = {
            1: str(number),
            2: self.kind,
            3: self.code,
            5: self.value,
            6: f"^{self.unit}" if self.unit else "",
            7: self.reference_range,
            8: self.abnormal_flags,
            11: "F",
            14: self.at,
            16: self.collector,
        }
        return numbered("OBX", fields)


@dataclass(frozen=True, slots=True)
class _Observation:
    """One observation that has something to say, when it was made and by whom."""

    part: Part
    at: str
    collector: str

    def measured(self, kind: str, code: str, value: str, unit: str = "") -> Line:
        """Return a line with something measured."""
        return Line(kind, code, value, self.at, unit=unit, collector=self.collector)

    def quantity(self, code: str, value: str) -> Line:
        """Return a line with a number, in the unit of the observation."""
        return self.measured("NM", code, value, utf8_component(self.part.text("observation_unit")))

    def score(self, code: str) -> Line:
        """Return the line with the score, empty when there is none."""
        return Line("NM", code, as_is(self.part.number("score_value")), self.at)


Found = dict[str, _Observation]


def observation_lines(
    observed: Part, *, times: Times, masks: Iterable[OxygenMask], collector: str
) -> Iterator[Line]:
    """Yield every line of the set, in order. Raises BadInput for what cannot be sent.

    In: an observation set with its `record_time`, whose observations have a type and a
    `measured_time`. Of several observations of one type the first that says something counts; types
    not known here are left out.
    """
    yield from _of_the_set(observed, times)
    found: Found = {}
    for each in observed.parts("observations"):
        kind = each.text("observation_type")
        if kind not in found and _says_something(each):
            found[kind] = _Observation(each, times.of(each, "measured_time"), collector)
    yield from _vital_sign(found, "heart_rate", "HR")
    yield from _vital_sign(found, "respiratory_rate", "RR")
    yield from _vital_sign(found, "diastolic_blood_pressure", "DBP", always_scored=False)
    yield from _vital_sign(found, "systolic_blood_pressure", "SBP")
    yield from _position(found)
    yield from _vital_sign(found, "spo2", "SPO2")
    yield from _oxygen(found, masks)
    yield from _vital_sign(found, "temperature", "TEMP", write=as_is)
    yield from _consciousness(found)
    yield from _coma_scale(found)
    yield from _concerns(found)


def _of_the_set(observed: Part, times: Times) -> Iterator[Line]:
    """The lines about the set as a whole."""
    at = times.of(observed, "record_time")
    system = observed.text("score_system").upper()
    if system:
        if system not in _SCORE_SYSTEMS:
            raise BadInput(f"{observed.place}.score_system: must be one of {', '.join(_SCORE_SYSTEMS)}")
        yield Line("ST", "ScoringSystem", system, at)
    if system == "NEWS2" and observed.given("spo2_scale"):
        yield Line("ST", "SpO2Scale", utf8_component(f"Scale {observed.text('spo2_scale')}"), at)
    score = observed.number("score_value")
    if score is not None:
        reference_range = utf8_component(observed.text("obx_reference_range"))
        flags = utf8_component(observed.text("obx_abnormal_flags"))
        yield Line(
            "NM", "TotalScore", as_is(score), at, reference_range=reference_range, abnormal_flags=flags
        )
    if observed.given("score_severity"):
        yield Line("ST", "Severity", utf8_component(observed.text("score_severity")), at)
    if due := times.of(observed, "time_next_obs_set_due"):
        yield Line("TS", "TimeNextObsSetDue", due, at)
    if late := observed.number("mins_late"):
        yield Line("NM", "MinutesLate", as_is(late), at)


def _refused(observation: Part) -> bool:
    return observation.values.get(_REFUSED) is True


def _says_something(observation: Part) -> bool:
    """Return whether there is a value, a text, or a patient who refused."""
    given = observation.given("observation_value") or observation.given("observation_string")
    return given or _refused(observation)


def _vital_sign(
    found: Found,
    kind: str,
    code: str,
    *,
    write: Callable[[int | float | None], str] = rounded,
    always_scored: bool = True,
) -> Iterator[Line]:
    """A number and its score. A patient who refused is in the place of the number."""
    if not (observation := found.get(kind)):
        return
    value = write(observation.part.number("observation_value"))
    yield observation.quantity(code, _REFUSED if _refused(observation.part) else value)
    if always_scored or observation.part.given("score_value"):
        yield observation.score(f"{code}Score")


def _position(found: Found) -> Iterator[Line]:
    """How the patient was positioned for the systolic pressure, or else for the diastolic."""
    for kind in ("systolic_blood_pressure", "diastolic_blood_pressure"):
        if observation := found.get(kind):
            about = observation.part.part("observation_metadata")
            if about.given("patient_position"):
                yield observation.measured("ST", "BPPOS", utf8_component(about.text("patient_position")))
                return


def _oxygen(found: Found, masks: Iterable[OxygenMask]) -> Iterator[Line]:
    """Oxygen given: how much, through what, and the score when there is one."""
    if not (observation := found.get("o2_therapy_status")):
        return
    yield observation.quantity("O2Rate", as_is(observation.part.number("observation_value")))
    about = observation.part.part("observation_metadata")
    if about.given("mask"):
        yield observation.measured("CE", "O2Delivery", _mask(about, masks))
    if observation.part.given("score_value"):
        yield observation.score("O2Score")


def _mask(about: Part, masks: Iterable[OxygenMask]) -> str:
    """`code^name`. A mask the site has not named has no code, but its name still tells a reader."""
    name, percent = about.text("mask"), about.text("mask_percent")
    code = next((mask.code for mask in masks if mask.name == name), "")
    code = code.replace("{mask_percent}", percent or _AIR)
    shown = f"{name} {percent}%" if percent else name
    return f"{utf8_component(code)}^{utf8_component(shown)}"


def _consciousness(found: Found) -> Iterator[Line]:
    if not (observation := found.get("consciousness_acvpu")):
        return
    level = observation.part.text("observation_string")
    value = f"{utf8_component(level[0])}^{utf8_component(level)}" if level else ""
    yield observation.measured("CE", "ACVPU", value)
    yield observation.score("ACVPUScore")


def _coma_scale(found: Found) -> Iterator[Line]:
    """The Glasgow Coma Scale: what its parts were and how they are described, then the sum."""
    if not (observation := found.get("consciousness_gcs")):
        return
    about = observation.part.part("observation_metadata")
    for name, code in (("gcs_eyes", "GCS-Eyes"), ("gcs_verbal", "GCS-Verbal"), ("gcs_motor", "GCS-Motor")):
        if about.given(name) and about.given(f"{name}_description"):
            value, description = about.text(name), about.text(f"{name}_description")
            yield observation.measured("CE", code, f"{utf8_component(value)}^{utf8_component(description)}")
    yield observation.quantity("GCS", whole(observation.part.number("observation_value")))


def _concerns(found: Found) -> Iterator[Line]:
    """Each of the concerns, which come as one text with commas between."""
    observation = found.get("nurse_concern")
    if observation and (concerns := observation.part.text("observation_string")):
        for concern in concerns.split(","):
            yield observation.measured("ST", "NC", utf8_component(concern.strip()))
