"""The table of rights: what each level of role may do, and how far it reaches (pure).

An operation of the specification names its right (`x-right`). `docs/rights.md` shows this table, and
`tests/rules/test_rights.py` holds both together.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from dhos_connector_api.errors import RightMissing

#: The levels of the eight roles.
PX_ADMIN, HOSPITAL_ADMIN, DEPARTMENT_MANAGER, COORDINATOR = 100, 80, 60, 50
PHYSICIAN, NURSE, STAFF, VIEWER = 40, 30, 20, 10
LEVELS = (PX_ADMIN, HOSPITAL_ADMIN, DEPARTMENT_MANAGER, COORDINATOR, PHYSICIAN, NURSE, STAFF, VIEWER)


class Reach(StrEnum):
    """How far a right reaches."""

    ALL = "all hospitals"
    HOSPITAL = "own hospital"
    DEPARTMENT = "own department and those below it"
    OWN = "himself"


@dataclass(frozen=True, slots=True)
class Right:
    """One right: who has it at least, and how far it reaches; level 100 reaches all but himself.

    `but` says where a level reaches otherwise.
    """

    name: str
    text: str
    least: int
    reach: Reach = Reach.HOSPITAL
    but: Mapping[int, Reach] = field(default_factory=dict)

    def reach_of(self, level: int) -> Reach | None:
        """Return how far it reaches for that level; None: that level does not have it."""
        if level < self.least:
            return None
        if level >= PX_ADMIN and self.reach is not Reach.OWN:
            return Reach.ALL
        return self.but.get(level, self.reach)


_TREE = {DEPARTMENT_MANAGER: Reach.DEPARTMENT}
_TABLE = (
    Right("self", "see and change his own profile and password", 0, Reach.OWN),
    Right("roles.read", "list the roles", HOSPITAL_ADMIN, Reach.ALL),
    Right("users.read", "see users", HOSPITAL_ADMIN),
    Right("users.write", "make and change users below his own level, and their roles", HOSPITAL_ADMIN),
    Right("hospitals.read", "see hospitals", VIEWER),
    Right("hospitals.write", "change a hospital", HOSPITAL_ADMIN),
    Right("hospitals.create", "make hospitals, and deactivate them", PX_ADMIN, Reach.ALL),
    Right("hospitals.identify", "say by which names of sources a feed is a hospital's", PX_ADMIN, Reach.ALL),
    Right("departments.read", "see departments", VIEWER),
    Right("departments.write", "make and change departments", HOSPITAL_ADMIN),
    Right("physicians.read", "see physicians", VIEWER),
    Right("physicians.write", "make and change physicians", HOSPITAL_ADMIN),
    Right("employees.read", "see employees", COORDINATOR, but=_TREE),
    Right("employees.write", "make and change employees", HOSPITAL_ADMIN),
    Right("patients.read", "see who a patient is; each look is audited", COORDINATOR),
    Right("patients.write", "make and change patients", COORDINATOR),
    Right("patients.unmerge", "make a merged patient one of his own again", HOSPITAL_ADMIN),
    Right("journeys.read", "see journeys; each look at whose one is is audited", COORDINATOR, but=_TREE),
    Right("journeys.write", "open, close and cancel journeys, and settle stages", COORDINATOR, but=_TREE),
    Right("journeys.templates.read", "see templates of journeys", COORDINATOR),
    Right("journeys.templates.write", "make and change templates of journeys", HOSPITAL_ADMIN),
    Right("organizations.import", "import organisations", PX_ADMIN, Reach.ALL),
    Right("audit.read", "read the audit trail", PX_ADMIN, Reach.ALL),
    Right("integrations", "messages, deliveries, events, mappings, API keys", PX_ADMIN, Reach.ALL),
)
RIGHTS: Mapping[str, Right] = {each.name: each for each in _TABLE}


def check(level: int, right: str) -> Reach:
    """Return how far that right reaches for that level. Raises RightMissing where it does not have it."""
    reach = RIGHTS[right].reach_of(level)
    if reach is None:
        raise RightMissing("none of your roles allows this operation")
    return reach
