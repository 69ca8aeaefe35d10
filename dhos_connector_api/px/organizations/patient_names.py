"""How common the words of a name are: what decides which way a search by it takes. Never commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, cast, func, select
from sqlalchemy.dialects.postgresql import TSQUERY

from dhos_connector_api.px.organizations.models import PatientRow
from dhos_connector_api.px.organizations.patient_terms import Terms

#: How many patients, the newest, say how common words are.
_SAMPLE = 500
#: Parts of them: what is dense is walked to; a word this common is a condition on rows found by another.
_DENSE, _COMMON = 0.03, 0.15

_P = PatientRow.__table__


@dataclass(frozen=True, slots=True)
class Names:
    """The words asked for: those that an index looks for, all of them, and whether very many fit."""

    indexed: str
    all: str
    dense: bool

    @classmethod
    def of(cls, connection: Connection, asked: Terms) -> "Names | None":
        """Return the words of a text that may be a name; how common they are the newest patients say."""
        if asked.names is None or asked.email or not any(sign.isalpha() for sign in asked.identifier):
            return None
        words = asked.names.split(" & ")
        rows, fit, *each = connection.execute(_sampled(asked.names, words)).one()
        shares = dict(zip(words, (count / max(rows, 1) for count in each), strict=True))
        rarest = min(words, key=lambda word: (shares[word], -len(word)))
        indexed = [word for word in words if word == rarest or shares[word] < _COMMON]
        return cls(" & ".join(indexed), asked.names, rows == _SAMPLE and fit / rows >= _DENSE)

    def fit(self, column: Any) -> ColumnElement[bool]:
        """Return that a row fits, in a way that no index answers."""
        found: ColumnElement[bool] = func.ts_match_vq(column, cast(self.all, TSQUERY))
        return found


def _sampled(names: str, words: Sequence[str]) -> Select[Any]:
    newest = select(_P.c.search).where(_P.c.merged_into.is_(None))
    rows = newest.order_by(_P.c.created_at.desc(), _P.c.id.desc()).limit(_SAMPLE).subquery()
    counts = [
        func.count().filter(func.ts_match_vq(rows.c.search, cast(each, TSQUERY))) for each in (names, *words)
    ]
    figures: list[ColumnElement[Any]] = [func.count(), *counts]
    return select(*figures).select_from(rows)
