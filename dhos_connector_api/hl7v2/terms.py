"""The part of a site's configuration that reading and judging messages needs (`site.model` has it all)."""

from collections.abc import Mapping
from typing import Protocol

#: Among the trigger events of a message type: every one.
ALL = "*"


class IdentifierTable(Protocol):
    """The codes by which PID-3 repetitions are told apart; all codes in upper case. Hashable."""

    @property
    def nhs_authorities(self) -> frozenset[str]: ...
    @property
    def nhs_types(self) -> frozenset[str]: ...
    @property
    def mrn_authorities(self) -> frozenset[str]: ...
    @property
    def mrn_types(self) -> frozenset[str]: ...
    @property
    def mrn_first_repetition(self) -> bool: ...
    @property
    def untyped_is_mrn(self) -> bool: ...


class Terms(Protocol):
    """The messages accepted of a hospital; an empty set of processing ids or versions accepts all.

    `bad_dates`: `refuse`, or `leave_out` for what is no date of birth.
    """

    @property
    def accepted(self) -> Mapping[str, frozenset[str]]: ...
    @property
    def processing_ids(self) -> frozenset[str]: ...
    @property
    def versions(self) -> frozenset[str]: ...
    @property
    def ignored_encounter_classes(self) -> frozenset[str]: ...
    @property
    def bad_dates(self) -> str: ...
    @property
    def identifiers(self) -> IdentifierTable: ...
