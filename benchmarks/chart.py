"""Small SVG charts for the docs: stacked bars, and lines on a logarithmic axis. No dependency."""

from collections.abc import Mapping, Sequence
from html import escape
from math import log10

COLOURS = ("#1f5f8b", "#e0a030", "#5b9a5b", "#b04a4a")
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 640, 320, 70, 50, 50
STYLE = 'font-family="sans-serif" font-size="12" fill="#333"'


def bars(title: str, unit: str, groups: Mapping[str, Mapping[str, float]]) -> str:
    """One stacked bar per group. All groups have the same parts."""
    parts = list(next(iter(groups.values())))
    top = max(sum(one.values()) for one in groups.values())
    drawn: list[str] = []
    step = (WIDTH - LEFT - 20) / len(groups)
    for place, (name, values) in enumerate(groups.items()):
        left, base = LEFT + place * step + step * 0.2, float(HEIGHT - BOTTOM)
        for part, colour in zip(parts, COLOURS, strict=False):
            height = values[part] / top * (HEIGHT - BOTTOM - TOP)
            base -= height
            drawn.append(
                f'<rect x="{left:.1f}" y="{base:.1f}" width="{step * 0.6:.1f}" '
                f'height="{height:.1f}" fill="{colour}"/>'
            )
        middle, total = left + step * 0.3, sum(values.values())
        drawn.append(_text(middle, base - 6, f"{unit}{total:,.2f}", "middle"))
        drawn.append(_text(middle, HEIGHT - BOTTOM + 18, name, "middle"))
    return _svg(title, drawn, parts)


def lines(title: str, x: str, series: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """One line per series, both axes logarithmic; the value stands at its last point."""
    points = [point for one in series.values() for point in one]
    low, high = min(one for one, _ in points), max(one for one, _ in points)
    top = log10(max(value for _, value in points) + 1)

    def at(point: tuple[float, float]) -> tuple[float, float]:
        wide = (log10(point[0]) - log10(low)) / (log10(high) - log10(low))
        tall = log10(point[1] + 1) / top
        room = HEIGHT - BOTTOM - TOP
        return LEFT + wide * (WIDTH - LEFT - 120), HEIGHT - BOTTOM - tall * room

    drawn: list[str] = []
    for (_, one), colour in zip(series.items(), COLOURS, strict=False):
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in map(at, one))
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        drawn += [
            f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" fill="{colour}"/>'
            for px, py in map(at, one)
        ]
        px, py = at(one[-1])
        drawn.append(_text(px + 8, py + 4, f"{one[-1][1]:,.0f}", "start"))
    for value in sorted({point[0] for point in points}):
        drawn.append(_text(at((value, 0))[0], HEIGHT - BOTTOM + 18, f"{value:,.0f}", "middle"))
    drawn.append(_text((LEFT + WIDTH) / 2, HEIGHT - 12, x, "middle"))
    return _svg(title, drawn, list(series))


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {STYLE}>{escape(words)}</text>'


def _svg(title: str, drawn: Sequence[str], names: Sequence[str]) -> str:
    legend: list[str] = []
    for place, (name, colour) in enumerate(zip(names, COLOURS, strict=False)):
        left = LEFT + place * 150
        legend.append(f'<rect x="{left}" y="26" width="10" height="10" fill="{colour}"/>')
        legend.append(_text(left + 15, 35, name, "start"))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
            _text(LEFT, 16, title, "start"),
            *legend,
            *drawn,
            "</svg>\n",
        ]
    )
