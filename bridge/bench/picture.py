"""A bar chart as SVG: one panel a measure, one bar a subject, and a line between the quartiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from bridge.bench.report import number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bridge.bench.report import Report, Row

_WIDTH: Final = 860
_LABEL: Final = 300
_BAR: Final = 420
_LINE: Final = 22
_STYLE: Final = "text{font:13px sans-serif;fill:#222}.title{font-weight:bold}rect{fill:#4a7ebb}line{stroke:#222}"


def picture(reports: Sequence[Report]) -> str:
    """An SVG document."""
    parts: list[str] = []
    y = _LINE
    for report in reports:
        for measure, unit in dict.fromkeys((row.measure, row.unit) for row in report.rows):
            parts.append(_text(10, y, f"{report.benchmark}: {measure}, {unit}", "title"))
            bars = [row for row in report.rows if (row.measure, row.unit) == (measure, unit)]
            largest = max(row.spread.high for row in bars) or 1.0
            for row in bars:
                y += _LINE
                parts += _bar(row, y, _BAR / largest)
            y += _LINE * 2
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y}" viewBox="0 0 {_WIDTH} {y}">',
            f'<style>{_STYLE}</style><rect width="100%" height="100%" style="fill:#fff"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _bar(row: Row, y: int, scale: float) -> Iterator[str]:
    width, low, high = (round(value * scale, 1) for value in (row.spread.median, row.spread.low, row.spread.high))
    yield _text(10, y, row.subject)
    yield f'<rect x="{_LABEL}" y="{y - 12}" width="{max(width, 0)}" height="15"/>'
    yield f'<line x1="{_LABEL + low}" x2="{_LABEL + high}" y1="{y - 4}" y2="{y - 4}"/>'
    yield _text(_LABEL + _BAR + 10, y, number(row.spread.median))


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    return f'<text x="{x}" y="{y}" class="{kind}">{escape(text)}</text>'
