"""The search by words, as SQL: a row is found when each word asked for is the beginning of one of its words.

`search` columns hold the words as a tsvector that our own folding makes: no text search configuration, and so
neither the server's version nor its locale, has a say in it.
"""

from typing import Any

from sqlalchemy import ColumnElement, Text, cast, false, func
from sqlalchemy.dialects.postgresql import ARRAY, TSQUERY

from dhos_connector_api.px.organizations.folding import beginnings, words


def words_of(*names: str | None) -> ColumnElement[Any]:
    """Return what the `search` column of a row with these names is set to."""
    return func.array_to_tsvector(cast(words(*names), ARRAY(Text)))


def matches(column: Any, text: str) -> ColumnElement[bool]:
    """Return the condition that a `search` column fits the text; nothing fits one without a letter."""
    wanted = beginnings(text)
    if wanted is None:
        return false()
    found: ColumnElement[bool] = column.op("@@", is_comparison=True)(cast(wanted, TSQUERY))
    return found
