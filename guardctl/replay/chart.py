"""The timeline: how many records of each verdict there were when, as bars of an inline SVG."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from detect_bypass.judge import Verdict

WIDTH, HEIGHT = 960, 180
LABEL = 100  # of a label, which begins at its bar
_BARS = 96
_STEPS = tuple(
    timedelta(minutes=minutes)
    for minutes in (10, 30, 60, 180, 360, 720, 1440, 2880, 10080, 20160, 43200, 129600, 525600)
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One rectangle: so many records of a verdict in a span of time."""

    x: float
    y: float
    width: float
    height: float
    verdict: str
    title: str


@dataclass(frozen=True, slots=True)
class Label:
    """A time below the bars."""

    x: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What the page draws; no bars where nothing has a time."""

    bars: tuple[Bar, ...] = ()
    labels: tuple[Label, ...] = ()
    most: int = 0
    step: str = ""


def bucket(event_time: str) -> str:
    """The ten minutes a time belongs to, as `2026-06-01T09:3`: what is counted while reading."""
    return event_time[:15]


def chart(counted: Mapping[tuple[str, str], int]) -> Chart:
    """Bars for counts by ten minutes and verdict, in spans long enough that they fit."""
    times = {text: when for text, _ in counted if (when := _time(text))}
    if not times:
        return Chart()
    step = _step(max(times.values()) - min(times.values()))
    first = _floor(min(times.values()), step)
    stacks: dict[int, Counter[str]] = {}
    for (text, verdict), count in counted.items():
        if text in times:
            stacks.setdefault((times[text] - first) // step, Counter())[verdict] += count
    number = max(stacks) + 1
    most = max(stack.total() for stack in stacks.values())
    width = WIDTH / number
    bars: list[Bar] = []
    for place, stack in sorted(stacks.items()):
        top = float(HEIGHT)
        for verdict in Verdict:
            if count := stack[verdict]:
                height = HEIGHT * count / most
                top -= height
                title = f"{first + place * step:%Y-%m-%d %H:%M} {verdict}: {count:,}"
                bars.append(
                    Bar(place * width, top, max(width - 1, width * 0.8), height, verdict, title)
                )
    every = max(1, -(-number // 6))
    labels = [
        Label(place * width, f"{first + place * step:%Y-%m-%d %H:%M}")
        for place in range(0, number, every)
        if place * width <= WIDTH - LABEL
    ]
    return Chart(tuple(bars), tuple(labels), most, _described(step))


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(f"{text}0").replace(tzinfo=UTC)
    except ValueError:
        return None


def _step(span: timedelta) -> timedelta:
    fitting = (step for step in _STEPS if span / step < _BARS - 1)
    return next(fitting, max(_STEPS[-1], span / (_BARS - 2)))


def _floor(when: datetime, step: timedelta) -> datetime:
    begin = datetime(1, 1, 1, tzinfo=UTC)
    return begin + (when - begin) // step * step


def _described(step: timedelta) -> str:
    minutes = step // timedelta(minutes=1)
    for size, name in ((1440, "day"), (60, "hour"), (1, "minute")):
        if minutes % size == 0:
            count = minutes // size
            return f"{count} {name}s" if count > 1 else f"1 {name}"
    return str(step)
