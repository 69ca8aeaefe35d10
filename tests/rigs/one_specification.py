"""The specification, read once in a process: every application of a test is made from the same document.

Connexion judges the document against OpenAPI's own schema, copies it twice and follows its references each
time, which is most of the time an application takes to make. Nobody changes what comes of it. A document
that differs in anything is read for itself.
"""

import json
from typing import Any


def install(specification: Any) -> None:
    """Make connexion read a document only once: what came of it the first time is taken again."""
    read = specification.from_dict.__func__
    known: dict[tuple[type, str, str], Any] = {}

    def once(cls: type, document: dict[str, Any], *, base_uri: str = "") -> Any:
        key = (cls, json.dumps(document), base_uri)
        if key not in known:
            known[key] = read(cls, document, base_uri=base_uri)
        return known[key]

    specification.from_dict = classmethod(once)
