"""The templates that the Connector brings along (pure): those of the HIS, and one of each type."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Seed:
    """A template as it is made: its fields but the hospital, and those of its stages in order."""

    fields: Mapping[str, Any]
    stages: Sequence[Mapping[str, Any]]


def _stages(*told: tuple[str, str, str, str]) -> tuple[Mapping[str, Any], ...]:
    names = ("code", "name", "name_ar", "trigger_event_code")
    return tuple({**dict(zip(names, each, strict=True)), "order": n} for n, each in enumerate(told, 1))


#: The HIS's visits. `Clinical Condtion` is how it writes it.
HIS = Seed(
    {
        "journey_type": "opd",
        "name": "HIS Outpatient Journey",
        "name_ar": "رحلة العيادات الخارجية من نظام المستشفى",
        "send_post_discharge_survey": True,
    },
    _stages(
        ("MD_CONSULTATION", "MD Consultation", "استشارة الطبيب", "Consultation"),
        ("MD_VISIT", "MD Visit", "زيارة الطبيب", "Doctor Visited"),
        ("CLINICAL_ASSESSMENT", "Clinical Assessment", "التقييم السريري", "Clinical Condtion"),
        ("PATIENT_ASSESSMENT", "Patient Assessment", "تقييم المريض", "ChiefComplaint"),
        ("PHARMACY", "Pharmacy", "الصيدلية", "Prescribed Drugs"),
    ),
)
_LABORATORY = ("LABORATORY", "Laboratory", "المختبر", "LAB_ORDER_COMPLETED|LAB_COMPLETED")
_RADIOLOGY = ("RADIOLOGY", "Radiology", "الأشعة", "RADIOLOGY_ORDER_COMPLETED|RADIOLOGY_COMPLETED")
_PHARMACY = ("PHARMACY", "Pharmacy", "الصيدلية", "PHARMACY_DISPENSED|PHARMACY_ORDER_COMPLETED")

STANDARD = (
    Seed(
        {"journey_type": "ems", "name": "Standard EMS Journey", "name_ar": "رحلة الطوارئ القياسية"},
        _stages(
            ("EMS_ARRIVAL", "Arrival", "الوصول", "ADT_A01|ADT_A04|EMS_ARRIVED"),
            ("EMS_TRIAGE", "Triage", "الفرز", "EMS_TRIAGE_COMPLETED"),
            ("EMS_TREATMENT", "Treatment", "العلاج", "EMS_TREATMENT_COMPLETED"),
            ("EMS_DISPOSITION", "Discharge or Admission", "الخروج أو التنويم", "ADT_A03|ADT_A06"),
        ),
    ),
    Seed(
        {
            "journey_type": "inpatient",
            "name": "Standard Inpatient Journey",
            "name_ar": "رحلة التنويم القياسية",
        },
        _stages(
            ("ADMISSION", "Admission", "الدخول", "ADT_A01|HIS_ADMITTED"),
            ("WARD", "Ward Stay", "الإقامة في القسم", "ADT_A02"),
            _LABORATORY,
            _RADIOLOGY,
            _PHARMACY,
            ("DISCHARGE", "Discharge", "الخروج", "ADT_A03|HIS_DISCHARGED|PATIENT_DISCHARGED"),
        ),
    ),
    Seed(
        {"journey_type": "opd", "name": "Standard OPD Journey", "name_ar": "رحلة العيادات الخارجية القياسية"},
        _stages(
            ("REGISTRATION", "Registration", "التسجيل", "ADT_A04|VISIT_STARTED"),
            ("OPD_MD_CONSULT", "MD Consultation", "استشارة الطبيب", "OPD_VISIT_COMPLETED"),
            _LABORATORY,
            _RADIOLOGY,
            _PHARMACY,
        ),
    ),
)
