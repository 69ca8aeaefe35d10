"""Invented people in several alphabets. Nobody of them exists; every number is drawn."""

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random


@dataclass(frozen=True, slots=True)
class _Names:
    nationality: str
    male: tuple[str, ...]
    female: tuple[str, ...]
    family: tuple[str, ...]


_PEOPLES = (
    _Names(
        "SAUDI",
        ("Ahmed Ali", "Fahad Nasser", "Khalid Omar", "Saad Ibrahim"),
        ("Noura Saleh", "Sara Ali", "Huda Fahad", "Reem Khalid"),
        ("Al Example", "Al-Mithal", "Bin Namuthaj"),
    ),
    _Names(
        "SAUDI",
        ("أحمد علي", "فهد ناصر", "خالد عمر"),
        ("نورة صالح", "سارة علي", "هدى فهد"),
        ("آل مثال", "المثالي", "بن نموذج"),
    ),
    _Names("INDIAN", ("राहुल", "अमित"), ("प्रिया", "सुनीता"), ("उदाहरण", "नमूना")),
    _Names("THAI", ("สมชาย", "ประเสริฐ"), ("สมหญิง", "มาลี"), ("ตัวอย่าง", "แบบอย่าง")),
    _Names("CHINESE", ("小明", "伟"), ("小红", "丽"), ("例", "范")),
    _Names("RUSSIAN", ("Пётр", "Иван"), ("Анна", "Мария"), ("Примеров", "Образцов")),
    _Names("FILIPINO", ("José", "Ángel"), ("María", "Corazón"), ("de la Muestra", "Ejemplo")),
    _Names("GERMAN", ("Jörg", "Lars"), ("Zoë", "Käthe"), ("von Beispiel", "Müßter")),
)
_TITLES = {"Male": ("", "", "Mr. ", "Dr. "), "Female": ("", "", "Mrs. ", "Ms. ")}
_GENDERS = {"Male": ("Male", "M", "MALE"), "Female": ("Female", "F", "FEMALE")}
_OLDEST_DAYS = 95 * 365
#: The share of people whose records say VIP.
_VIPS = 0.05


@dataclass(frozen=True, slots=True)
class Person:
    """One person, as the HIS knows them."""

    patient_id: str
    name: str
    gender: str
    born: date
    national_id: str
    phone: str
    nationality: str
    is_vip: bool

    def age(self, on: date) -> str:
        """The age in words, as `FullAge` has it."""
        years = on.year - self.born.year - ((on.month, on.day) < (self.born.month, self.born.day))
        return f"{years} year(s)"


def draw(numbers: Random, on: date) -> Person:
    """A person who is alive on that day."""
    names = numbers.choice(_PEOPLES)
    sex = numbers.choice(("Male", "Female"))
    given = numbers.choice(names.male if sex == "Male" else names.female)
    resident = "1" if names.nationality == "SAUDI" else "2"
    return Person(
        patient_id=str(numbers.randrange(100_000, 10_000_000)),
        name=f"{numbers.choice(_TITLES[sex])}{given} {numbers.choice(names.family)}",
        gender=numbers.choice(_GENDERS[sex]),
        born=on - timedelta(days=numbers.randrange(_OLDEST_DAYS)),
        national_id=f"{resident}{numbers.randrange(10**9):09}",
        phone=f"05{numbers.randrange(10**8):08}",
        nationality=names.nationality,
        is_vip=numbers.random() < _VIPS,
    )


def doctor(numbers: Random) -> tuple[str, str]:
    """A doctor's number and name."""
    names = numbers.choice(_PEOPLES[:1] + _PEOPLES[-2:])
    given = numbers.choice(names.male + names.female)
    return str(numbers.randrange(1000, 9999)), f"Dr. {given} {numbers.choice(names.family)}"
