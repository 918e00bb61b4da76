"""The stack's dashboard as a picture, with what a drill measured: for people who have no stack yet.

Each widget of the template's dashboard is drawn in its place, with one bar for each of its metrics.
What AWS measures of queues and functions is taken from the emulated account.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from emulator import Cloud
from emulator.metrics import measured

CELL, GAP, ROW = 46, 10, 23
COLOURS = ("#0972d3", "#e07941", "#067f68", "#7d2105", "#5b48d0", "#b0084d", "#3184c2", "#8d6605")

SEARCH = re.compile(r"SEARCH\('\{([\w/]+),\w+\} MetricName=\"(\w+)\"([^']*)', ")

type Key = tuple[str, str, str]  # namespace, metric, the value of its one dimension


def draw(cloud: Cloud) -> str:
    """The picture, as SVG."""
    body = cloud.deployment.of_type("AWS::CloudWatch::Dashboard")["Dashboard"]["DashboardBody"]
    widgets = json.loads(body)["widgets"]
    figures = _figures(cloud)
    width = 24 * CELL + GAP
    height = max(one["y"] + one["height"] for one in widgets) * CELL + GAP
    drawn = "\n".join(_widget(one, figures, cloud) for one in widgets)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="Helvetica, Arial, sans-serif">\n'
        f'<rect width="{width}" height="{height}" fill="#f2f3f3"/>\n{drawn}\n</svg>\n'
    )


def _figures(cloud: Cloud) -> Mapping[Key, list[float]]:
    """Every value that was measured, in order."""
    figures: dict[Key, list[float]] = defaultdict(list)
    for run in cloud.invocations:
        name = cloud.deployment.functions[run.function].name
        figures["AWS/Lambda", "Errors", name].append(float(run.error is not None))
        figures["AWS/Lambda", "Duration", name].append(run.seconds * 1000)
        for one in measured(run.output):
            for _, value in one.dimensions:
                figures[one.namespace, one.name, value] += one.values
    for logical_id in cloud.deployment.of_type("AWS::SQS::Queue"):
        name = cloud.resource(logical_id).rsplit("/", 1)[-1]
        depth = float(cloud.queue_depth(logical_id))
        figures["AWS/SQS", "ApproximateNumberOfMessagesVisible", name].append(depth)
        figures["AWS/SQS", "ApproximateAgeOfOldestMessage", name].append(0.0)
    return figures


def _widget(widget: Mapping[str, Any], figures: Mapping[Key, list[float]], cloud: Cloud) -> str:
    shown = widget["properties"]
    x, y = widget["x"] * CELL + GAP, widget["y"] * CELL + GAP
    width, height = widget["width"] * CELL - GAP, widget["height"] * CELL - GAP
    bars = list(_bars(shown, figures, cloud))
    most = max((value for _, value in bars), default=0) or 1
    title = escape(shown["title"])
    parts = [
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" fill="#fff"/>',
        f'<text x="{x + 14}" y="{y + 26}" font-size="15" font-weight="bold">{title}</text>',
    ]
    for place, (label, value) in enumerate(bars[: (height - 50) // ROW]):
        top = y + 44 + place * ROW
        length = round((width - 250) * value / most, 1)
        colour = COLOURS[place % len(COLOURS)]
        parts += [
            f'<text x="{x + 14}" y="{top + 12}" font-size="12" fill="#444">{escape(label)}</text>',
            f'<rect x="{x + 180}" y="{top}" width="{length}" height="14" fill="{colour}"/>',
            f'<text x="{x + 186 + length}" y="{top + 12}" font-size="12">{value:,.6g}</text>',
        ]
    return "\n".join(parts)


def _bars(
    shown: Mapping[str, Any], figures: Mapping[Key, list[float]], cloud: Cloud
) -> Iterator[tuple[str, float]]:
    """A label and a number for each metric: the sum, the highest, or the 95th percentile."""
    for metric in shown["metrics"]:
        if isinstance(metric[0], dict):
            yield from _found(metric[0]["expression"], figures, cloud)
            continue
        namespace, name, _, value = metric
        values = sorted(figures.get((namespace, name, value), []))
        label = cloud.deployment.logical(value) if namespace.startswith("AWS/") else name
        if name == "RepairSeconds":
            label = f"{name}, {value}"
        yield label, round(_statistic(shown["stat"], values), 1)


def _found(
    expression: str, figures: Mapping[Key, list[float]], cloud: Cloud
) -> Iterator[tuple[str, float]]:
    """The sums that a search finds, the highest first: by kind of alert, or by function."""
    search = SEARCH.match(expression)
    if search is None:
        raise ValueError(f"the dashboard searches in a way that is not drawn: {expression}")
    namespace, name, values = search.groups()
    found = [
        (cloud.deployment.logical(value) if namespace.startswith("AWS/") else value, sum(some))
        for (of, metric, value), some in figures.items()
        if (of, metric) == (namespace, name) and (not values or f'"{value}"' in values)
    ]
    yield from sorted(found, key=lambda one: -one[1])


def _statistic(name: str, values: list[float]) -> float:
    if not values:
        return 0.0
    if name == "Sum":
        return sum(values)
    return values[-1] if name == "Maximum" else values[int(0.95 * (len(values) - 1))]
