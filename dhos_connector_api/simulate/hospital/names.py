"""Invented names in several alphabets, and what else an invented person is made of."""

from typing import NamedTuple


class Names(NamedTuple):
    """Names of one language (ISO 639 code); `men` and `women` are given names."""

    language: str
    families: tuple[str, ...]
    men: tuple[str, ...]
    women: tuple[str, ...]


def _names(language: str, families: str, men: str, women: str) -> Names:
    return Names(language, tuple(families.split(",")), tuple(men.split(",")), tuple(women.split(",")))


#: English first: `people.py` takes it more often than the others.
NAMES = (
    _names(
        "en",
        "Otter,Heron,Badger,Wren,Finch,Hazel,Rowan,Alder,O'Thorn,Mc Lark,Smith-Jones,Marsh & Fenn",
        "Rowan,Jack,Arthur,Theo,George,Noah",
        "River,Olive,Ivy,Grace,Ada,Florence",
    ),
    _names("fr", "Lefèvre,Gérard,D'Œuvre", "René,Loïc,François", "Zoë,Hélène,Maëlle"),
    _names("de", "Müller,Groß,Schäfer", "Jürgen,Günther,Jörg", "Käthe,Änne,Jördis"),
    _names("pl", "Żółć,Wąsik,Święty", "Łukasz,Michał,Stanisław", "Małgorzata,Łucja,Żaneta"),
    _names("tr", "Yıldız,Şahin,Öztürk", "İbrahim,Çağrı,Oğuz", "Ayşe,Gülşen,İpek"),  # noqa: RUF001  Turkish
    _names("cy", "ap Siôn,Llŷr,Gwŷn", "Siôn,Gwŷn,Tomos", "Siân,Gwenllïan,Mêr"),
    _names("el", "Παπαδόπουλος,Αλεξίου,Ιωάννου", "Γιώργος,Νίκος,Δημήτρης", "Ελένη,Μαρία,Κατερίνα"),
    _names("uk", "Шевченко,Коваль,Бондар", "Олексій,Іван,Юрій", "Оксана,Марія,Леся"),
    _names("ar", "الحداد,النجار,الخطيب", "يوسف,عمر,كريم", "ليلى,فاطمة,مريم"),
    _names("he", "כהן,לוי,מזרחי", "דוד,אורי,נועם", "שרה,רות,תמר"),
    _names("bn", "চৌধুরী,রহমান,দাস", "আরিফ,রাহুল,তানভীর", "নাজমা,ফারহানা,মিতা"),
    _names("zh", "王,歐陽,李", "偉,建國,志明", "芳,秀英,美玲"),
    _names("vi", "Nguyễn,Trần,Phạm", "Đức,Hữu,Tuấn", "Thảo,Hồng,Ngọc"),
)

STREETS = ("Mill Lane", "Station Road", "The Green", "Castle Street", "Weir Walk", "Church Hill")
TOWNS = (("Otterford", "ZZ99 3AA"), ("Heronsbridge", "ZZ99 4BB"), ("Wrenham", "ZZ99 5CC"))
#: Titles of grown men and women.
TITLES = {"M": ("Mr", "Mr", "Mr", "Dr"), "F": ("Ms", "Mrs", "Ms", "Dr")}
DOCTORS = (("C100001", "Falcon", "Alice"), ("C100002", "Κόρακας", "Νίκος"), ("C100003", "Sparrow", "John"))
