"""The specification, judged once in a process: every application of a test is made from the same document.

Connexion judges the document against OpenAPI's own schema each time, which is three quarters of the time an
application takes to make. A document that differs in anything is judged again.
"""

import json
from typing import Any


def install(specification: Any) -> None:
    """Make connexion judge a document only once: one that it has found good is taken as good."""
    judge = specification._validate_spec.__func__
    good: set[tuple[type, str]] = set()

    def once(cls: type, document: dict[str, Any]) -> None:
        known = (cls, json.dumps(document))
        if known not in good:
            judge(cls, document)
            good.add(known)

    specification._validate_spec = classmethod(once)
