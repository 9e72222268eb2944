"""Draw line charts as SVG for docs/benchmarks, without a library."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 60, 170, 44, 48
COLOURS = ("#2563a8", "#c2571a", "#3b8046", "#7b4aa0")


@dataclass(frozen=True, slots=True)
class Line:
    """One curve.

    Attributes:
        notes: labels of the points; may be empty.
        dashed: for computed instead of measured values.
    """

    name: str
    x: list[float]
    y: list[float]
    colour: int
    notes: tuple[str, ...] = ()
    dashed: bool = False


def write_chart(path: Path, title: str, x_label: str, y_label: str, lines: list[Line]) -> None:
    """Both axes begin at zero."""
    most_x = max(x for line in lines for x in line.x) * 1.05
    step = _step(max(y for line in lines for y in line.y))
    rows = int(max(y for line in lines for y in line.y) / step) + 1
    most_y = rows * step

    def place(x: float, y: float) -> tuple[float, float]:
        right, down = (
            LEFT + x / most_x * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - y / most_y * (HEIGHT - TOP - BOTTOM),
        )
        return round(right, 1), round(down, 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(LEFT, 22, title, "start", 14),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x_label, "middle"),
        _text(LEFT, 38, y_label, "start"),
    ]
    for row in range(rows + 1):
        left, level = place(0, row * step)
        parts.append(f'<path d="M{left} {level}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(_text(left - 8, level + 4, f"{row * step:g}", "end"))
    for x in sorted({x for line in lines for x in line.x}):
        parts.append(_text(place(x, 0)[0], HEIGHT - BOTTOM + 18, f"{x:g}", "middle"))
    for index, line in enumerate(lines):
        parts += _curve(line, [place(x, y) for x, y in zip(line.x, line.y, strict=True)], TOP + 18 * index)
    path.write_text("\n".join([*parts, "</svg>"]) + "\n", encoding="utf-8")


def _curve(line: Line, places: list[tuple[float, float]], legend: float) -> list[str]:
    colour = COLOURS[line.colour % len(COLOURS)]
    style = f'fill="none" stroke="{colour}" stroke-width="2"' + (
        ' stroke-dasharray="5 4"' if line.dashed else ""
    )
    joined = " ".join(f"{x},{y}" for x, y in places)
    parts = [f'<polyline points="{joined}" {style}/>']
    for (x, y), note in zip(places, line.notes or ("",) * len(places), strict=True):
        if not line.dashed:
            parts.append(f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>')
        parts.append(_text(x, y - 8, note, "middle", 10, colour))
    start = WIDTH - RIGHT + 12
    parts.append(f'<path d="M{start} {legend}h22" {style}/>')
    return [*parts, _text(start + 28, legend + 4, line.name, "start", 11)]


def _text(x: float, y: float, text: str, anchor: str, size: int = 12, colour: str = "#222") -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size}" '
        f'fill="{colour}">{escape(text)}</text>'
    )


def _step(most: float) -> float:
    """A round distance between grid lines that gives about five of them."""
    unit: float = 10.0 ** (len(f"{most / 5:.0f}") - 1) if most >= 5 else 0.1
    return next(unit * times for times in (1, 2, 5, 10, 20, 50) if unit * times * 6 >= most)
