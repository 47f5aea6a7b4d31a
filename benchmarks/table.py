"""The table: one row a comparison, with spread, as text for the terminal or as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"
HEADS = ("", "ours", "ComfyUI's own", "plain", "ours / ComfyUI's", "ours / plain", "goal")
NONE = "–"


@dataclass(frozen=True)
class Spread:
    """Repeats of one measurement. extra: added before each number (seconds that are only shown)."""

    values: tuple[float, ...]
    unit: str = "s"
    digits: int = 2

    @classmethod
    def of(cls, values: Sequence[float], unit: str = "s", digits: int = 2) -> Spread | None:
        """None where there is nothing measured."""
        return cls(tuple(values), unit, digits) if values else None

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def __str__(self) -> str:
        """`8.21 s (8.18 to 8.30)`: median, least and most."""
        unit = f" {self.unit}" if self.unit else ""
        text = f"{self.median:.{self.digits}f}{unit}"
        if len(self.values) > 1:
            text += f" ({min(self.values):.{self.digits}f} to {max(self.values):.{self.digits}f})"
        return text


@dataclass(frozen=True)
class Row:
    """One line. The ratios compare whole times; goal: what was promised; met: None where nothing was."""

    name: str
    ours: Spread | str
    client: Spread | str | None = None
    plain: Spread | str | None = None
    client_ratio: Spread | None = None
    plain_ratio: Spread | None = None
    goal: str = ""
    met: bool | None = None

    def cells(self) -> list[str]:
        """The texts of its columns."""
        goal = self.goal if self.met is None else f"{self.goal}: {'met' if self.met else 'MISSED'}"
        parts = (self.ours, self.client, self.plain, self.client_ratio, self.plain_ratio)
        return [self.name, *(NONE if part is None else str(part) for part in parts), goal]


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread | None:
    """Ours through theirs, repeat by repeat, so that a busy moment of the machine meets both."""
    return Spread.of([mine / other for mine, other in zip(ours, theirs, strict=False)], unit="")


def text(rows: Sequence[Row]) -> str:
    """Columns side by side for the terminal."""
    lines = [list(HEADS), *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADS))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def markdown(rows: Sequence[Row], notes: Sequence[str]) -> str:
    """The same between the README's markers."""
    lines = [f"| {' | '.join(line)} |" for line in (list(HEADS), ["---"] * len(HEADS), *(row.cells() for row in rows))]
    return "\n".join([BEGIN, *lines, "", *(f"{note}  " for note in notes), END])
