"""Rows of figures, and the one table they are printed in."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `most` or `least` is its target, where the issue sets one."""

    part: str
    name: str
    value: float
    unit: str
    most: float | None = None
    least: float | None = None
    note: str = ""

    @property
    def target(self) -> str:
        """The target in words; empty without one."""
        if self.most is not None:
            return f"<= {self.most:g}"
        return f">= {self.least:g}" if self.least is not None else ""

    @property
    def verdict(self) -> str:
        """`met` or `MISSED`; empty without a target."""
        if not self.target:
            return ""
        met = (self.most is None or self.value <= self.most) and (
            self.least is None or self.value >= self.least
        )
        return "met" if met else "MISSED"


def quantile(values: Iterable[float], share: float) -> float:
    """The value below which that share of `values` lies (nearest rank); nan of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def number(value: float) -> str:
    """Three significant digits or more: 1,234 and 12.3 and 0.123."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"


def lines(rows: Iterable[Row]) -> list[str]:
    """The table as lines of text."""
    head = ("part", "figure", "value", "unit", "target", "", "note")
    cells = [head] + [
        (row.part, row.name, number(row.value), row.unit, row.target, row.verdict, row.note) for row in rows
    ]
    widths = [max(len(each[column]) for each in cells) for column in range(len(head))]
    text = []
    for each in cells:
        padded = [
            cell.rjust(width) if column == 2 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(each, widths, strict=True))
        ]
        text.append("  ".join(padded).rstrip())
    text.insert(1, "-" * max(map(len, text)))
    return text


def as_json(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """The rows for `--json`."""
    return [asdict(row) | {"verdict": row.verdict} for row in rows]
