"""The course of one stage: what each piece of evidence does to it, in order of time (pure)."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from dhos_connector_api.px.journeys.evidence import STAGE_COMPLETED, STAGE_REOPENED, STAGE_SKIPPED, Evidence
from dhos_connector_api.px.journeys.folded import Did, StageNow, StageStatus
from dhos_connector_api.px.journeys.template import Stage


@dataclass(frozen=True, slots=True)
class Known:
    """The physician and the place that are known at a piece of evidence: its own, or the newest before."""

    physician: str | None
    department: str | None


@dataclass(slots=True)
class Course:
    """A stage on its way. `began` is its event; `completed_by` the piece that made it complete.

    These differ where the event came without a physician or place that the stage needs.
    """

    stage: Stage
    status: StageStatus = StageStatus.PENDING
    began: Evidence | None = None
    completed_by: Evidence | None = None
    physician: str | None = None
    department: str | None = None
    reopened: int = 0

    @property
    def is_met(self) -> bool:
        """Return whether nothing is waited for: it is complete, or a person skipped it."""
        return self.status in (StageStatus.COMPLETED, StageStatus.SKIPPED)

    def take_event(self, piece: Evidence, known: Known) -> Did:
        """Return what an event does that fits the stage: the first completes it, or begins it."""
        if self.status is StageStatus.COMPLETED:
            return Did.REPEATED
        if self.status is StageStatus.IN_PROGRESS:
            return self.take_knowledge(piece, known) or Did.REPEATED
        self.began, self.physician, self.department = piece, known.physician, known.department
        return self._complete(piece) if self._has_all() else self._start()

    def take_knowledge(self, piece: Evidence, known: Known) -> Did | None:
        """Return what any piece does to a stage in progress: it may tell what is needed."""
        self.physician = self.physician or known.physician
        self.department = self.department or known.department
        return self._complete(piece) if self._has_all() else None

    def take_act(self, piece: Evidence, known: Known) -> Did:
        """Return what a person's act does: a completion needs neither physician nor place."""
        if piece.code == STAGE_COMPLETED and self.status is not StageStatus.COMPLETED:
            self.began, self.physician, self.department = piece, known.physician, known.department
            return self._complete(piece)
        if piece.code == STAGE_SKIPPED and not self.is_met:
            self._reset(StageStatus.SKIPPED)
            return Did.SKIPPED_STAGE
        if piece.code == STAGE_REOPENED and self.status is not StageStatus.PENDING:
            self._reset(StageStatus.PENDING)
            self.reopened += 1
            return Did.REOPENED_STAGE
        is_so_already = piece.code == STAGE_COMPLETED or self.status is StageStatus.SKIPPED
        return Did.REPEATED if is_so_already else Did.NOTHING

    def in_the_end(self, *, is_open: bool, is_late: bool) -> StageNow:
        """Return the stage in a journey that is open or completed."""
        if self.completed_by is None or self.began is None:
            is_left = not is_open and self.status in (StageStatus.PENDING, StageStatus.IN_PROGRESS)
            status = StageStatus.SKIPPED if is_left else self.status
            return self._now(status)
        return self._now(self.status, self.began.occurred_at, self.began.event_uuid, is_late=is_late)

    def cancelled(self) -> StageNow:
        """Return the stage in a journey that is cancelled."""
        return StageNow(stage=self.stage, status=StageStatus.CANCELLED, reopened=self.reopened)

    def _now(
        self,
        status: StageStatus,
        completed_at: datetime | None = None,
        event_uuid: UUID | None = None,
        *,
        is_late: bool = False,
    ) -> StageNow:
        return StageNow(
            stage=self.stage,
            status=status,
            completed_at=completed_at,
            event_uuid=event_uuid,
            physician=self.physician,
            department=self.department,
            is_late=is_late,
            reopened=self.reopened,
        )

    def _has_all(self) -> bool:
        return bool(self.physician or not self.stage.requires_physician) and bool(
            self.department or not self.stage.requires_department
        )

    def _complete(self, piece: Evidence) -> Did:
        self.status, self.completed_by = StageStatus.COMPLETED, piece
        return Did.COMPLETED_STAGE

    def _start(self) -> Did:
        self.status = StageStatus.IN_PROGRESS
        return Did.STARTED_STAGE

    def _reset(self, status: StageStatus) -> None:
        self.status, self.began, self.completed_by = status, None, None
        self.physician = self.department = None
