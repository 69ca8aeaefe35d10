"""The patient groups of a message: which PID, MRG and PV1 belong together (HL7 v2 chapter 3).

- A17 (swap), A24 (link), A37 (unlink): two patients, `PID [PV1] PID [PV1]`.
- A39 to A42 (merge), A43 and A44 (move): any number of `PID MRG [PV1]`.
- A45 (move visit): one PID with any number of `MRG PV1`: a group for each MRG.
- every other ADT message: one patient, one group.
"""

from dataclasses import dataclass

from dhos_connector_api.hl7v2.identifiers import FIELDS
from dhos_connector_api.hl7v2.read import Message
from dhos_connector_api.hl7v2.segment import Segment

#: Triggers whose structure holds more than one PID.
SEVERAL_PATIENTS: frozenset[str] = frozenset({"A17", "A24", "A37", "A39", "A40", "A41", "A42", "A43", "A44"})
#: Triggers that make one record of two: without MRG nothing says which is given up.
MERGES: frozenset[str] = frozenset({"A18", "A30", "A34", "A35", "A36", "A39", "A40", "A41", "A42", "A47"})
#: Those that make one patient of two. A35, A41 and A42 merge accounts and visits instead.
PATIENT_MERGES: frozenset[str] = MERGES - {"A35", "A41", "A42"}
#: Triggers that have a prior: merges, moves of a patient's data, account or visit, a visit's new number.
WITH_PRIOR: frozenset[str] = MERGES | {"A43", "A44", "A45", "A50"}
#: Triggers about two patients, neither of them in an MRG (swap, link, unlink).
TWO_PATIENTS: frozenset[str] = frozenset({"A17", "A24", "A37"})


@dataclass(slots=True)
class PatientGroup:
    """One patient of a message, with the segments that belong to it: merge, visit, movement (ZBE, IHE's)."""

    pid: Segment
    mrg: Segment | None = None
    pv1: Segment | None = None
    zbe: Segment | None = None

    @property
    def length(self) -> int:
        """Return the number of characters of its segments, as often as there may be envelopes with them."""
        published = sum([len(segment.line) for segment in (self.pid, self.pv1, self.zbe) if segment])
        if self.mrg is None:
            return published
        priors = [len(self.mrg.repetitions(field)) for field in FIELDS["MRG"]]
        return published * max(1, *priors) + len(self.mrg.line)


def patient_groups(message: Message) -> list[PatientGroup]:
    """Return the groups in order, none without a PID. A group has the first PV1 and ZBE that follow its PID.

    They are made once; nobody changes them.
    """
    return message.msh.once("groups", lambda: _groups(message))


def groups_or_nobody(message: Message) -> list[PatientGroup]:
    """Return the groups; for a message that names no patient, one without any."""
    groups = patient_groups(message)
    if groups:
        return groups
    nobody = Segment("PID", "PID", message.delimiters, message.charset)
    return [PatientGroup(nobody, pv1=message.first("PV1"), zbe=message.first("ZBE"))]


def _groups(message: Message) -> list[PatientGroup]:
    patients = message.all("PID")
    if len(patients) == 1 and len(message.all("MRG")) <= 1:
        mrg, pv1 = message.first("MRG"), message.first("PV1")
        return [PatientGroup(patients[0], mrg, pv1, message.first("ZBE"))]
    groups: list[PatientGroup] = []
    for segment in message.segments():
        if segment.name == "PID":
            groups.append(PatientGroup(segment))
        elif groups:
            _attach(segment, groups)
    return groups


def _attach(segment: Segment, groups: list[PatientGroup]) -> None:
    """Give an MRG, PV1 or ZBE to the last group; a second MRG begins another group of the same patient."""
    last = groups[-1]
    if segment.name == "MRG":
        if last.mrg is None:
            last.mrg = segment
        else:
            groups.append(PatientGroup(last.pid, segment))
    elif segment.name == "PV1" and last.pv1 is None:
        last.pv1 = segment
    elif segment.name == "ZBE" and last.zbe is None:
        last.zbe = segment
