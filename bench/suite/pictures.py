"""Draws the measurements as SVG."""

import math
from collections.abc import Iterator

from .growth import WORKS as GROWING
from .results import LABELS, Results
from .tables import MIB, number, times
from .work import WORKS

COLOURS = {"acclaim": "#0b6e4f", "fastify": "#c77d0a", "course": "#3a6ea5", "datasette": "#8a4f9e",
           "pgbench": "#9a9a9a"}
LINES = ("#0b6e4f", "#c77d0a", "#3a6ea5", "#8a4f9e")
HEAD = ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        'height="{height}" font-family="system-ui, sans-serif" font-size="12" fill="#222">\n'
        '<title>{title}</title>\n<rect width="100%" height="100%" fill="#fff"/>')


def _text(x: float, y: float, words: str, more: str = "") -> str:
    words = words.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{words}</text>'


def _svg(width: int, height: float, title: str, parts: list[str]) -> str:
    head = HEAD.format(width=width, height=round(height), title=title)
    return "\n".join([head, *parts, "</svg>"]) + "\n"


COLUMNS = ((700, "requests/s"), (762, "p50 ms"), (824, "p99 ms"), (906, "memory MiB"),
           (988, "Acclaim is"))


def throughput(results: Results) -> str:
    """One bar per contender for its requests per second, scaled to the fastest of the work, with its
    figures and the ratio of Acclaim's rate to it."""
    parts, y = [], 30.0
    for database, label in (("postgres", "PostgreSQL"), ("sqlite", "SQLite")):
        if not results.at(database):
            continue
        parts.append(_text(20, y, f"{label}, 32 connections, medians",
                           'font-size="16" font-weight="bold"'))
        parts += [_text(x, y, name, 'text-anchor="end" fill="#666"') for x, name in COLUMNS]
        y += 12
        for work, name in WORKS.items():
            seen = [each for each in LABELS if results.at(database, each, work)]
            if seen:
                parts += _bars(results, database, work, name, seen, y)
                y += 17 * len(seen) + 9
        y += 32
    return _svg(1000, y, "Requests a second, latency and memory", parts)


def _bars(results: Results, database: str, work: str, name: str, seen: list[str],
          y: float) -> Iterator[str]:
    fastest = max(results.median(database, each, work, "rate") for each in seen)
    yield _text(20, y + 14, name, 'font-weight="bold"')
    for contender in seen:
        y += 17
        of = (database, contender, work)
        rate, p50, p99, memory = (results.median(*of, field)
                                  for field in ("rate", "p50", "p99", "memory"))
        yield _text(325, y - 3, LABELS[contender], 'text-anchor="end"')
        yield (f'<rect x="332" y="{y - 14:.1f}" width="{max(1.0, 290 * rate / fastest):.1f}" '
               f'height="14" fill="{COLOURS[contender]}"/>')
        ratio = results.ratio((database, "acclaim", work, "rate"), (*of, "rate"))
        cells = (number(rate), number(p50), number(p99), number(memory / MIB) if memory else "–",
                 "" if contender == "acclaim" else times(ratio))
        for (x, _), cell in zip(COLUMNS, cells, strict=True):
            yield _text(x, y - 3, cell, 'text-anchor="end"')


def growth(results: Results) -> str:
    """Cost of a request by number of posts. Both scales are logarithmic."""
    parts = []
    left = 70.0
    for database, label in (("postgres", "PostgreSQL"), ("sqlite", "SQLite")):
        sizes = sorted(map(int, results.at("growth", database) or {}))
        if sizes:
            parts += _panel(results, database, label, sizes, left)
            left += 500
    return _svg(round(left) - 30, 400, "What a request costs, by the number of posts", parts)


def _panel(results: Results, database: str, label: str, sizes: list[int],
           left: float) -> Iterator[str]:
    costs = {work: [1e6 / results.median("growth", database, str(size), work, "rate")
                    for size in sizes] for work in GROWING}
    lowest = math.floor(math.log10(min(map(min, costs.values()))))
    highest = max(lowest + 1, math.ceil(math.log10(max(map(max, costs.values())))))

    def x(size: float) -> float:
        span = math.log10(sizes[-1] / sizes[0]) or 1
        return left + 300 * math.log10(size / sizes[0]) / span

    def y(cost: float) -> float:
        return 340 - 280 * (math.log10(cost) - lowest) / (highest - lowest)

    yield _text(left, 30, f"{label}: µs for one request, one connection",
                'font-size="14" font-weight="bold"')
    for power in range(lowest, highest + 1):
        line = y(10**power)
        yield f'<path d="M{left:.1f} {line:.1f}h300" stroke="#ddd"/>'
        yield _text(left - 8, line + 4, f"{10.0**power:,.0f}", 'text-anchor="end"')
    for size in sizes:
        yield _text(x(size), 362, f"{size:,}", 'text-anchor="middle"')
    yield _text(left + 150, 384, "posts", 'text-anchor="middle" fill="#666"')
    ends = []
    for work, colour in zip(GROWING, LINES, strict=True):
        points = [(x(size), y(cost)) for size, cost in zip(sizes, costs[work], strict=True)]
        path = " ".join(f"{at:.1f},{up:.1f}" for at, up in points)
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>'
        for at, up in points:
            yield f'<circle cx="{at:.1f}" cy="{up:.1f}" r="3.5" fill="{colour}"/>'
        ends.append((points[-1][1], GROWING[work], colour))
    below = 0.0
    for up, name, colour in sorted(ends):
        # Keeps labels from overlapping.
        below = max(up + 4, below + 15)
        yield _text(left + 310, below, name, f'fill="{colour}"')
