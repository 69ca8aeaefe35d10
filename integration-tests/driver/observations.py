"""Builders of observation sets as the platform posts them, and the ORU message the EPR gets of one."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import md5
from typing import Any
from uuid import uuid4

from driver.messages import Patient

#: The platform's code of the sex, and PID-8 as these EPRs know it.
_SEXES = {"M": ("248153007", "1"), "F": ("248152002", "2")}


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def oru_time(at: datetime) -> str:
    """A time as this site's pattern writes it (fakes/trustomer.py), in UTC."""
    return at.strftime("%Y%m%d%H%M%S.000+0000")


@dataclass(frozen=True)
class ObservationSet:
    """A nurse's round at one bed: NEWS2 with oxygen, one refused measurement and two concerns."""

    patient: Patient
    uuid: str = field(default_factory=lambda: str(uuid4()))
    patient_uuid: str = field(default_factory=lambda: str(uuid4()))
    heart_rate: int = 92
    recorded: datetime = datetime(2026, 1, 2, 12, tzinfo=UTC)

    destination = "epr"

    @property
    def control_id(self) -> str:
        """MSH-10 of every message about this set."""
        return md5(self.uuid.encode(), usedforsecurity=False).hexdigest()[:20]

    @property
    def key(self) -> str:
        """What fakes/epr.py knows it by."""
        return self.control_id

    def is_in(self, text: str) -> bool:
        """Whether that is a message about this set."""
        return Oru.read(text).control_id == self.control_id

    def corrected(self) -> "ObservationSet":
        """The same set with another heart rate."""
        return replace(self, heart_rate=self.heart_rate + 7)

    def body(self, *without: str) -> dict[str, Any]:
        """The body of the request, without these parts of the data."""
        data = {
            "patient": self._patient(),
            "encounter": {
                "epr_encounter_id": self.patient.visit,
                "location_ods_code": "WARD 1^BAY 2^BED 3",
                "admitted_at": _iso(self.patient.admitted),
            },
            "observation_set": self._set(),
            "clinician": {"send_entry_identifier": "4711", "first_name": "Nia", "last_name": "Nurse"},
        }
        kept = {name: part for name, part in data.items() if name not in without}
        return {"actions": [{"name": "process_observation_set", "data": kept}]}

    def _patient(self) -> dict[str, Any]:
        return {
            "uuid": self.patient_uuid,
            "first_name": self.patient.first_name,
            "last_name": self.patient.last_name,
            "dob": "1970-01-31",
            "sex": _SEXES[self.patient.sex][0],
            "hospital_number": self.patient.mrn,
            "nhs_number": self.patient.nhs_number,
        }

    def _set(self) -> dict[str, Any]:
        mask = {"mask": "Venturi", "mask_percent": 28}
        concerns = "Pain | 7/10, Pallor"
        return {
            "uuid": self.uuid,
            "record_time": _iso(self.recorded),
            "score_system": "news2",
            "spo2_scale": 1,
            "score_string": "5",
            "score_value": 5,
            "score_severity": "medium",
            "obx_reference_range": "0-4",
            "obx_abnormal_flags": "HIGH",
            "time_next_obs_set_due": _iso(self.recorded + timedelta(hours=1)),
            "mins_late": 0,
            "observations": [
                self._observation("heart_rate", self.heart_rate, "bpm", 1),
                self._observation("respiratory_rate", None, "/min", 0, patient_refused=True),
                self._observation("o2_therapy_status", 4, "lpm", 2, observation_metadata=mask),
                self._observation("temperature", 38.4, "celsius", 1),
                self._observation("consciousness_acvpu", None, None, 0, observation_string="Alert"),
                self._observation("nurse_concern", None, None, None, observation_string=concerns),
            ],
        }

    def _observation(
        self, kind: str, value: float | None, unit: str | None, score: int | None, **more: Any
    ) -> dict[str, Any]:
        return {
            "observation_type": kind,
            "measured_time": _iso(self.recorded),
            "observation_value": value,
            "observation_unit": unit,
            "score_value": score,
            "patient_refused": False,
        } | more

    def expected(self, name: str) -> list[str]:
        """The fields that the contract asks for of the segment PID, PV1 or OBR; the name is the first."""
        person, sex = self.patient, _SEXES[self.patient.sex][1]
        numbers = f"{person.mrn}^^^^MRN~{person.nhs_number}^^^^NHS"
        names = f"{person.last_name}^{person.first_name}"
        stay = ["WARD 1^BAY 2^BED 3", *[""] * 15, person.visit, *[""] * 24, oru_time(person.admitted)]
        about = ["EWS", "", "", oru_time(self.recorded), "", "", "4711^Nurse^Nia", *[""] * 14, "F"]
        return {
            "PID": ["PID", "1", self.patient_uuid, numbers, "", names, "", "19700131", sex],
            "PV1": ["PV1", "1", "", *stay],
            "OBR": ["OBR", "1", "", self.uuid, *about],
        }[name]


@dataclass(frozen=True)
class Oru:
    """An ORU message, taken apart without the Connector's own reader."""

    segments: tuple[tuple[str, ...], ...]

    @classmethod
    def read(cls, text: str) -> "Oru":
        """Split at CR and `|`. Raises AssertionError where that is no message with the usual delimiters."""
        assert text.startswith("MSH|^~\\&|"), "this is no HL7 message"
        return cls(tuple(tuple(line.split("|")) for line in text.split("\r") if line))

    @property
    def control_id(self) -> str:
        """MSH-10."""
        return self.segments[0][9]

    def segment(self, name: str) -> list[str]:
        """The fields of the only segment of that name; the name is the first."""
        (found,) = (each for each in self.segments if each[0] == name)
        return list(found)

    def observations(self) -> list[dict[str, str]]:
        """Every OBX by the contract's names, in order; what is not there is empty."""
        places = {"type": 2, "code": 3, "value": 5, "unit": 6, "range": 7, "flags": 8, "time": 14, "by": 16}
        rows = [list(each) + [""] * 17 for each in self.segments if each[0] == "OBX"]
        assert [row[1] for row in rows] == [str(number) for number in range(1, len(rows) + 1)]
        assert {row[11] for row in rows} == {"F"}
        return [{name: row[place] for name, place in places.items()} for row in rows]
