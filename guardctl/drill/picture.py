"""The stack's dashboard as a picture, with what a drill measured: for people who have no stack yet.

Each widget of the template's dashboard is drawn in its place, each metric as a line over the time
of the drill, as CloudWatch draws it. What AWS alone measures (queues, durations) stays empty.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from typing import Any

from emulator import Cloud
from emulator.metrics import measured

WIDE, HIGH, GAP = 46, 56, 10  # pixels of a cell of the dashboard's grid, and between widgets
TOP, SIDE, ROW = 40, 44, 17  # of a widget: above the lines, left of them, a row of the legend
MOST_ROWS = 8  # of a legend
LIGHT = ("#0972d3", "#c2410c", "#067f68", "#7d2105", "#5b48d0", "#b0084d", "#2b7a9e", "#8d6605")
DARK = ("#539fe5", "#f0883e", "#2ea597", "#e07f6a", "#a38ff5", "#f2668b", "#7cc7e8", "#d9b44a")
STYLE = """<style>
.page{fill:#f2f3f3}.box{fill:#fff}.said{fill:#16191f}.faint{fill:#5f6b7a}
.grid{stroke:#d5dbdb}.line{fill:none;stroke-width:2;stroke-linecap:round}
%s
@media (prefers-color-scheme:dark){
.page{fill:#0f1b2a}.box{fill:#192534}.said{fill:#e9ebed}.faint{fill:#a6b0bd}.grid{stroke:#3a4757}
%s
}
</style>"""

SEARCH = re.compile(r"SEARCH\('\{([\w/]+),\w+\} MetricName=\"(\w+)\"([^']*)', '\w+', \d+\)")
FILL = "FILL(METRICS(), 0)"
ALL_AS_ONE = "SUM(SEARCH("

type Key = tuple[str, str, str]  # namespace, metric, the value of its one dimension
type Figures = Mapping[Key, Sequence[tuple[datetime, float]]]


@dataclass(frozen=True, slots=True)
class Line:
    """One metric in a widget: what was measured in each period in which something was."""

    label: str
    points: Mapping[int, float]
    total: float


@dataclass(frozen=True, slots=True)
class Drill:
    """What was measured, and between which full hours."""

    cloud: Cloud
    figures: Figures
    began: datetime
    hours: int

    @classmethod
    def of(cls, cloud: Cloud) -> "Drill":
        """Every metric of every run, and whether it failed, which AWS measures of functions."""
        figures: dict[Key, list[tuple[datetime, float]]] = defaultdict(list)
        for run in cloud.invocations:
            name = cloud.deployment.functions[run.function].name
            figures["AWS/Lambda", "Errors", name].append((run.when, float(run.error is not None)))
            for one in measured(run.output):
                for _, value in one.dimensions:
                    key = (one.namespace, one.name, value)
                    figures[key] += [(run.when, number) for number in one.values]
        times = [run.when for run in cloud.invocations] or [cloud.clock.now()]
        began = min(times).replace(minute=0, second=0, microsecond=0)
        return cls(cloud, figures, began, int((max(times) - began) / timedelta(hours=1)) + 1)


def draw(cloud: Cloud) -> str:
    """The picture, as SVG."""
    body = cloud.deployment.of_type("AWS::CloudWatch::Dashboard")["Dashboard"]["DashboardBody"]
    widgets = json.loads(body)["widgets"]
    drill = Drill.of(cloud)
    width = 24 * WIDE + GAP
    height = max(one["y"] + one["height"] for one in widgets) * HIGH + GAP
    drawn = "\n".join(_widget(one, drill) for one in widgets)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="Helvetica, Arial, sans-serif" '
        f'font-size="13">\n{STYLE % (_colours(LIGHT), _colours(DARK))}\n'
        f'<rect class="page" width="{width}" height="{height}"/>\n{drawn}\n</svg>\n'
    )


def _colours(colours: Sequence[str]) -> str:
    return "".join(f".c{n}{{stroke:{one}}}.d{n}{{fill:{one}}}" for n, one in enumerate(colours))


def _text(x: float, y: float, text: str, attributes: str) -> str:
    return f'<text x="{x}" y="{y}" {attributes}>{escape(text)}</text>'


def _widget(widget: Mapping[str, Any], drill: Drill) -> str:
    shown = widget["properties"]
    x, y = widget["x"] * WIDE + GAP, widget["y"] * HIGH + GAP
    width, height = widget["width"] * WIDE - GAP, widget["height"] * HIGH - GAP
    lines = sorted(_lines(shown, drill), key=lambda one: -one.total)
    legend = lines[:MOST_ROWS]
    bottom = height - 24 - ROW * min(len(lines), MOST_ROWS + 1)
    parts = [
        f'<g transform="translate({x} {y})">',
        f'<rect class="box" width="{width}" height="{height}" rx="8"/>',
        _text(14, 25, shown["title"], 'class="said" font-size="15" font-weight="bold"'),
        *_plot(legend, width, bottom, drill, shown["period"]),
    ]
    for place, one in enumerate(legend):
        row = bottom + 34 + place * ROW
        parts += [
            f'<rect class="d{place}" x="14" y="{row - 9}" width="10" height="10"/>',
            _text(30, row, one.label, 'class="said"'),
            _text(width - 14, row, f"{one.total:,.6g}", 'class="said" text-anchor="end"'),
        ]
    if more := len(lines) - len(legend):
        row = bottom + 34 + len(legend) * ROW
        parts.append(_text(30, row, f"and {more} more", 'class="faint"'))
    return "\n".join([*parts, "</g>"])


def _plot(
    lines: Sequence[Line], width: int, bottom: int, drill: Drill, period: int
) -> Iterator[str]:
    """The axes and the lines, between TOP and `bottom`."""
    if not lines:
        yield _text(14, TOP + 20, "measured by AWS alone, not in a drill", 'class="faint"')
        return
    most = max((value for one in lines for value in one.points.values()), default=0) or 1
    across, down = width - SIDE - 14, bottom - TOP
    periods = drill.hours * 3600 / period
    for share in (0, 1):
        level = bottom - share * down
        yield f'<path class="grid" d="M{SIDE} {level}h{across}"/>'
        yield _text(SIDE - 6, level + 4, f"{share * most:,.4g}", 'class="faint" text-anchor="end"')
    for hour in range(0, drill.hours + 1, max(1, drill.hours // 4)):
        when = drill.began + timedelta(hours=hour)
        place = SIDE + round(across * hour / drill.hours)
        yield _text(place, bottom + 15, f"{when:%H:%M}", 'class="faint" text-anchor="middle"')
    for number, one in reversed(list(enumerate(lines))):
        yield from _drawn(
            number,
            [
                (n, SIDE + across * (n + 0.5) / periods, bottom - down * value / most)
                for n, value in sorted(one.points.items())
            ],
        )


def _drawn(number: int, points: Sequence[tuple[int, float, float]]) -> Iterator[str]:
    """A line through neighbouring periods, and a dot for one that has no neighbour."""
    path = ""
    for place, (n, x, y) in enumerate(points):
        joined = place > 0 and points[place - 1][0] == n - 1
        followed = place + 1 < len(points) and points[place + 1][0] == n + 1
        path += f"{'L' if joined else 'M'}{x:.1f} {y:.1f}"
        if not joined and not followed:
            yield f'<circle class="d{number}" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>'
    if path:
        yield f'<path class="line c{number}" d="{path}"/>'


def _lines(shown: Mapping[str, Any], drill: Drill) -> Iterator[Line]:
    """Each metric that a drill measures, and what searches find: by kind of alert, by function."""
    metrics = shown["metrics"]
    filled = any(_expression(one) == FILL for one in metrics)
    for metric in metrics:
        if expression := _expression(metric):
            if expression != FILL:
                yield from _found(metric[0], drill, shown)
            continue
        namespace, name, _, value, *_ = metric
        if not namespace.startswith("AWS/"):
            label = f"{name}, {value}" if name == "RepairSeconds" else name
            figures = drill.figures.get((namespace, name, value), ())
            yield _line(label, figures, drill, shown, filled=filled)


def _expression(metric: Sequence[Any]) -> str:
    return metric[0]["expression"] if isinstance(metric[0], dict) else ""


def _found(metric: Mapping[str, str], drill: Drill, shown: Mapping[str, Any]) -> Iterator[Line]:
    search = SEARCH.search(metric["expression"])
    if search is None:
        raise ValueError(f"this expression of the dashboard is not drawn: {metric['expression']}")
    namespace, name, values = search.groups()
    found = {
        value: some
        for (of, measure, value), some in drill.figures.items()
        if (of, measure) == (namespace, name) and (not values or f'"{value}"' in values)
    }
    if ALL_AS_ONE in metric["expression"]:
        found = {metric["label"]: [one for some in found.values() for one in some]}
    for value, some in found.items():
        known = namespace.startswith("AWS/")
        label = drill.cloud.deployment.logical(value) if known else value
        yield _line(label, some, drill, shown, filled=True)


def _line(
    label: str,
    figures: Sequence[tuple[datetime, float]],
    drill: Drill,
    shown: Mapping[str, Any],
    *,
    filled: bool,
) -> Line:
    """Summed up, or the highest, in each period; with `filled`, 0 where nothing was measured."""
    sums = shown["stat"] == "Sum"
    period = timedelta(seconds=shown["period"])
    last = int(timedelta(hours=drill.hours) / period)
    points: dict[int, float] = dict.fromkeys(range(last), 0.0) if filled else {}
    for when, value in figures:
        n = int((when - drill.began) / period)
        points[n] = points.get(n, 0.0) + value if sums else max(points.get(n, 0.0), value)
    whole = (sum if sums else max)([value for _, value in figures] or [0.0])
    return Line(label, points, round(whole, 1))
