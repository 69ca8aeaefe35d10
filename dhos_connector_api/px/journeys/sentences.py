"""The sentences in which a journey is explained, one table for each language (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from dhos_connector_api.px.journeys.folded import Did, Ending
from dhos_connector_api.px.journeys.template import JourneyType


class Remark(StrEnum):
    """What is said beside what each piece did."""

    COMPLETED_LATE = "completed_late"
    REPEATED_STAGE = "repeated_stage"
    WAITS_FOR_EVENT = "waits_for_event"
    MAY_COME = "may_come"
    WAITS_FOR_PHYSICIAN = "waits_for_physician"
    WAITS_FOR_DEPARTMENT = "waits_for_department"
    WAITS_FOR_BOTH = "waits_for_both"
    LEFT_OUT = "left_out"
    TYPE_ASSUMED = "type_assumed"
    NO_TEMPLATE = "no_template"


#: What a sentence is about.
Kind = Did | Remark


@dataclass(frozen=True, slots=True)
class Words:
    """What one language needs.

    Sentences may name `at`, `what` (who or what did it), `stage`, `event`, `ending` and `type`.
    `by_event` takes `code` and `source`, `by_event_of_its_own` the source's `own` code too.
    """

    by_event: str
    by_event_of_its_own: str
    by_person: str
    by_clock: str
    by_move: str
    time: str
    or_: str
    types: Mapping[JourneyType, str]
    endings: Mapping[Ending, str]
    sentences: Mapping[Kind, str]


ENGLISH = Words(
    by_event="The event {code} from {source}",
    by_event_of_its_own="The event {code} ({own}) from {source}",
    by_person="A person",
    by_clock="The time that went by",
    by_move="A move of all that was one patient's to another",
    time="%Y-%m-%d %H:%M UTC",
    or_=" or ",
    types={
        JourneyType.EMS: "emergency",
        JourneyType.INPATIENT: "inpatient",
        JourneyType.OPD: "outpatient",
        JourneyType.DAY_CASE: "day case",
    },
    endings={
        Ending.DISCHARGED: "the patient was discharged",
        Ending.ALL_STAGES: "all its stages are complete",
        Ending.VISIT_COMPLETED: "the visit was over",
        Ending.SILENT: "nothing was heard of it for 24 hours",
        Ending.PERSON: "a person asked for it",
        Ending.CANCELLED: "it was cancelled",
    },
    sentences={
        Did.OPENED: "{at}: {what} opened the journey.",
        Did.OPENED_AGAIN: "{at}: {what} opened the journey again.",
        Did.CLOSED: "{at}: {what} closed the journey: {ending}.",
        Did.CANCELLED: "{at}: {what} cancelled the journey and all its stages.",
        Did.CHANGED_TYPE: "{at}: {what} told the type of the journey.",
        Did.MOVED_PLACE: "{at}: {what} told another place.",
        Did.MOVED_PATIENT: "{at}: {what} made the journey another patient's.",
        Did.COMPLETED_STAGE: "{at}: {what} completed the stage {stage}.",
        Did.STARTED_STAGE: "{at}: {what} began the stage {stage}, which still needed a physician or a place.",
        Did.SKIPPED_STAGE: "{at}: {what} skipped the stage {stage}.",
        Did.REOPENED_STAGE: "{at}: {what} took the stage {stage} back: only what comes after completes it.",
        Did.REPEATED: "{at}: {what} repeated what was so already; the earliest counts.",
        Did.NOTHING: "{at}: {what} changed nothing.",
        Remark.COMPLETED_LATE: (
            "{at}: {what} completed the stage {stage} after the end of the journey: nobody is asked about it."
        ),
        Remark.REPEATED_STAGE: "{at}: {what} came again for the stage {stage}; the earliest counts.",
        Remark.WAITS_FOR_EVENT: "{stage} waits for the event {event}.",
        Remark.MAY_COME: "{stage} is optional; the event {event} may still complete it.",
        Remark.WAITS_FOR_PHYSICIAN: "{stage} has its event, and waits for a physician.",
        Remark.WAITS_FOR_DEPARTMENT: "{stage} has its event, and waits for a place.",
        Remark.WAITS_FOR_BOTH: "{stage} has its event, and waits for a physician and a place.",
        Remark.LEFT_OUT: "{stage} was skipped: the journey ended without it.",
        Remark.TYPE_ASSUMED: "No event told the type of the journey: it is taken to be {type}.",
        Remark.NO_TEMPLATE: "The hospital had no default template for the type {type}: it adds no stages.",
    },
)

# The subjects are masculine, all of them, so that one form of each verb fits.
ARABIC = Words(
    by_event="الحدث {code} من {source}",
    by_event_of_its_own="الحدث {code} ({own}) من {source}",
    by_person="شخص",
    by_clock="مرور الوقت",
    by_move="نقل كل ما لمريض إلى مريض آخر",
    time="%Y-%m-%d %H:%M UTC",
    or_=" أو ",
    types={
        JourneyType.EMS: "الطوارئ",
        JourneyType.INPATIENT: "التنويم",
        JourneyType.OPD: "العيادات الخارجية",
        JourneyType.DAY_CASE: "جراحة اليوم الواحد",
    },
    endings={
        Ending.DISCHARGED: "خرج المريض من المستشفى",
        Ending.ALL_STAGES: "اكتملت جميع مراحلها",
        Ending.VISIT_COMPLETED: "انتهت الزيارة",
        Ending.SILENT: "لم يرد عنها شيء منذ 24 ساعة",
        Ending.PERSON: "طلب ذلك شخص",
        Ending.CANCELLED: "أُلغيت",
    },
    sentences={
        Did.OPENED: "{at}: {what} بدأ الرحلة.",
        Did.OPENED_AGAIN: "{at}: {what} أعاد فتح الرحلة.",
        Did.CLOSED: "{at}: {what} أغلق الرحلة: {ending}.",
        Did.CANCELLED: "{at}: {what} ألغى الرحلة وجميع مراحلها.",
        Did.CHANGED_TYPE: "{at}: {what} حدد نوع الرحلة.",
        Did.MOVED_PLACE: "{at}: {what} أفاد بمكان آخر.",
        Did.MOVED_PATIENT: "{at}: {what} جعل الرحلة لمريض آخر.",
        Did.COMPLETED_STAGE: "{at}: {what} أكمل المرحلة {stage}.",
        Did.STARTED_STAGE: "{at}: {what} بدأ المرحلة {stage} التي كان ينقصها طبيب أو مكان.",
        Did.SKIPPED_STAGE: "{at}: {what} تخطى المرحلة {stage}.",
        Did.REOPENED_STAGE: "{at}: {what} أعاد فتح المرحلة {stage}، ولا يكملها إلا ما يأتي بعد ذلك.",
        Did.REPEATED: "{at}: {what} كرر ما سبق، والمعتبر هو الأول.",
        Did.NOTHING: "{at}: {what} لم يغير شيئًا.",
        Remark.COMPLETED_LATE: "{at}: {what} أكمل المرحلة {stage} بعد نهاية الرحلة، فلا يُسأل عنها أحد.",
        Remark.REPEATED_STAGE: "{at}: {what} تكرر للمرحلة {stage}، والمعتبر هو الأول.",
        Remark.WAITS_FOR_EVENT: "المرحلة {stage} تنتظر الحدث {event}.",
        Remark.MAY_COME: "المرحلة {stage} اختيارية، وقد يكملها الحدث {event}.",
        Remark.WAITS_FOR_PHYSICIAN: "المرحلة {stage} ورد حدثها وتنتظر تحديد الطبيب.",
        Remark.WAITS_FOR_DEPARTMENT: "المرحلة {stage} ورد حدثها وتنتظر تحديد المكان.",
        Remark.WAITS_FOR_BOTH: "المرحلة {stage} ورد حدثها وتنتظر تحديد الطبيب والمكان.",
        Remark.LEFT_OUT: "المرحلة {stage} تُخطيت لأن الرحلة انتهت دونها.",
        Remark.TYPE_ASSUMED: "لم يحدد أي حدث نوع الرحلة، فاعتُبرت من نوع {type}.",
        Remark.NO_TEMPLATE: "لم يكن للمستشفى قالب افتراضي للنوع {type}، فلا مراحل له.",
    },
)
