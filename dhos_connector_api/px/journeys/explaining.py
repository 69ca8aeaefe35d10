"""What made a journey what it is, and what it waits for, in sentences (pure).

They name codes, sources, stages and times, and never a patient or a person. The reason that a person gave is
free text, in which a patient may be named: it stands beside the sentence, never in it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from dhos_connector_api.px.journeys.evidence import CLOCK, PERSON, Evidence, History, Move
from dhos_connector_api.px.journeys.folded import Did, Effect, Folded, JourneyStatus, StageNow, StageStatus
from dhos_connector_api.px.journeys.sentences import ARABIC, ENGLISH, Kind, Remark, Words
from dhos_connector_api.px.journeys.timeline import in_time, moves_in_time
from dhos_connector_api.px.journeys.triggers import codes_of

Language = Literal["en", "ar"]
_WORDS: Mapping[str, Words] = {"en": ENGLISH, "ar": ARABIC}
# Codes and times run from left to right in a sentence that runs the other way.
_ISOLATE, _POP = "\u2068", "\u2069"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """One sentence. `at` and `event_uuid` are those of a piece of evidence; null: what is missing in the end.

    `stage` is the code of the stage it is about; `reason` is what a person wrote of what he did.
    """

    at: datetime | None
    text: str
    event_uuid: UUID | None
    kind: Kind
    stage: str | None
    reason: str | None = None


def explain(folded: Folded, history: History, language: Language) -> list[Sentence]:
    """Return what each piece of evidence did, in order of time, and then what is missing.

    `folded` is what `fold.fold` made of this history. Times are UTC.
    """
    return list(_Speaker(folded, history, language).sentences())


class _Speaker:
    """One journey, and the language to explain it in."""

    def __init__(self, folded: Folded, history: History, language: Language) -> None:
        self._folded, self._words, self._language = folded, _WORDS[language], language
        self._stages = {each.stage.id: each for each in folded.stages}
        moves = {each.event_uuid: each for each in moves_in_time(history.moves)}
        self._pieces: dict[UUID, Evidence | Move] = {
            **moves,
            **{each.event_uuid: each for each in in_time(history.evidence)},
        }
        # Of several completions of a stage only the last may be late.
        self._last = {each.stage_id: each for each in folded.effects if each.did is Did.COMPLETED_STAGE}

    def sentences(self) -> Iterator[Sentence]:
        effects = self._folded.effects
        told = [(self._pieces[each.event_uuid], each) for each in effects if each.event_uuid in self._pieces]
        for piece, effect in sorted(told, key=lambda each: each[0].occurred_at):
            yield self._of(piece, effect)
        yield from self._about_the_type()
        for stage in self._folded.stages:
            if remark := _missing(stage, self._folded.status):
                yield self._remark(remark, stage)

    def _of(self, piece: Evidence | Move, effect: Effect) -> Sentence:
        stage = self._stages.get(effect.stage_id) if effect.stage_id else None
        kind = self._kind(effect, stage)
        text = self._words.sentences[kind].format(
            at=self._marked(piece.occurred_at.astimezone(UTC).strftime(self._words.time)),
            what=self._what(piece),
            stage=self._name(stage),
            ending=self._words.endings[effect.ending] if effect.ending else "",
        )
        return Sentence(
            at=piece.occurred_at,
            text=text,
            event_uuid=effect.event_uuid,
            kind=kind,
            stage=stage.stage.code if stage else None,
            reason=_reason(piece),
        )

    def _kind(self, effect: Effect, stage: StageNow | None) -> Kind:
        if stage is None:
            return effect.did
        if effect.did is Did.REPEATED:
            return Remark.REPEATED_STAGE
        is_late = stage.is_late and self._last.get(effect.stage_id) is effect
        return Remark.COMPLETED_LATE if is_late else effect.did

    def _about_the_type(self) -> Iterator[Sentence]:
        if self._folded.assumed:
            yield self._sentence(Remark.TYPE_ASSUMED, type=self._words.types[self._folded.journey_type])
        for each in self._folded.missing:
            yield self._sentence(Remark.NO_TEMPLATE, type=self._words.types[each])

    def _remark(self, remark: Remark, stage: StageNow) -> Sentence:
        event = self._words.or_.join(map(self._marked, codes_of(stage.stage.trigger)))
        return self._sentence(remark, stage.stage.code, stage=self._name(stage), event=event)

    def _sentence(self, kind: Kind, code: str | None = None, **named: str) -> Sentence:
        text = self._words.sentences[kind].format(**named)
        return Sentence(at=None, text=text, event_uuid=None, kind=kind, stage=code)

    def _what(self, piece: Evidence | Move) -> str:
        if isinstance(piece, Move):
            return self._words.by_move
        if piece.source in (PERSON, CLOCK):
            return self._words.by_person if piece.source == PERSON else self._words.by_clock
        has_own = piece.source_code and piece.source_code.strip() != piece.code.strip()
        form = self._words.by_event_of_its_own if has_own else self._words.by_event
        named = {"code": piece.code, "source": piece.source, "own": piece.source_code or ""}
        return form.format(**{name: self._marked(each) for name, each in named.items()})

    def _name(self, stage: StageNow | None) -> str:
        if stage is None:
            return ""
        arabic = stage.stage.name_ar if self._language == "ar" else None
        return self._marked(arabic or stage.stage.name)

    def _marked(self, text: str) -> str:
        return f"{_ISOLATE}{text}{_POP}" if self._language == "ar" else text


def _reason(piece: Evidence | Move) -> str | None:
    """What a person wrote of what he did; None of what a feed or the clock tells."""
    return piece.reason if isinstance(piece, Evidence) and piece.source == PERSON else None


def _missing(now: StageNow, status: JourneyStatus) -> Remark | None:
    """What a stage that is not complete waits for, or why it never will be."""
    if status is JourneyStatus.COMPLETED:
        return Remark.LEFT_OUT if now.status is StageStatus.SKIPPED else None
    if now.status is StageStatus.PENDING:
        return Remark.MAY_COME if now.stage.is_optional else Remark.WAITS_FOR_EVENT
    if now.status is not StageStatus.IN_PROGRESS:
        return None
    needs_physician = now.stage.requires_physician and not now.physician
    needs_department = now.stage.requires_department and not now.department
    if needs_physician and needs_department:
        return Remark.WAITS_FOR_BOTH
    return Remark.WAITS_FOR_PHYSICIAN if needs_physician else Remark.WAITS_FOR_DEPARTMENT
