"""Formats the measurements as Markdown."""

from .growth import WORKS as GROWING
from .targets import TARGETS
from .results import LABELS, Results
from .work import WORKS

MIB = 1 << 20


def number(value: float | None) -> str:
    """Three significant digits, with separators between thousands."""
    if value is None:
        return "–"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def times(value: float | None) -> str:
    """A ratio."""
    return "–" if value is None else f"{number(value)} ×"


def works(results: Results, database: str) -> list[str]:
    """One row per work and contender, with the ratio of Acclaim's figure to the contender's."""
    lines = [
        "| work | contender | requests/s | | p50 ms | | p99 ms | | memory MiB | |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for work, label in WORKS.items():
        for contender, name in LABELS.items():
            if not results.at(database, contender, work):
                continue
            cells = [label, name]
            for field in ("rate", "p50", "p99", "memory"):
                value = results.median(database, contender, work, field)
                ratio = results.ratio((database, "acclaim", work, field),
                                      (database, contender, work, field))
                if field == "memory":
                    value = value / MIB if value else None
                cells += [number(value), "" if contender == "acclaim" else times(ratio)]
            lines.append("| " + " | ".join(cells) + " |")
            label = ""
    return lines


def growth(results: Results, database: str) -> list[str]:
    """Time of one request in microseconds by number of posts."""
    sizes = sorted(map(int, results.at("growth", database) or {}))
    if not sizes:
        return []
    lines = ["| µs a request | " + " | ".join(f"{size:,} posts" for size in sizes) + " |",
             "| --- |" + " ---: |" * len(sizes)]
    for work, name in GROWING.items():
        rates = [results.median("growth", database, str(size), work, "rate") for size in sizes]
        lines.append(f"| {name} | "
                     + " | ".join(number(1e6 / rate if rate else None) for rate in rates) + " |")
    return lines


def extras(results: Results) -> list[str]:
    """The measurements that are in no other table."""
    lines = []
    for database in ("postgres", "sqlite"):
        for part, values in sorted((results.at("extras", database) or {}).items()):
            for name, value in values.items():
                if isinstance(value, dict):
                    parts = (f"{key} " + (", ".join(map(number, item)) if isinstance(item, list)
                                          else number(item)) for key, item in value.items())
                    text = "; ".join(parts)
                else:
                    text = number(value / MIB) + " MiB" if name == "memory" else number(value)
                lines.append(f"| {database} | {part.replace('_', ' ')} | "
                             f"{name.replace('_', ' ')} | {text} |")
    if lines:
        lines = ["| database | measurement | | |", "| --- | --- | --- | --- |", *lines]
    return lines


def targets(results: Results) -> list[str]:
    """Targets and results."""
    lines = ["| measurement | target | measured | met |", "| --- | ---: | ---: | --- |"]
    for row in TARGETS:
        value = row.measured(results)
        target = "not set"
        if row.target is not None:
            target = ("at least " if row.at_least else "at most ") + (
                f"{number(row.target)} {row.unit}".strip())
        met = "–"
        if value is not None and row.target is not None:
            met = "yes" if row.met(value) else "no"
        measured = "not measured" if value is None else f"{number(value)} {row.unit}".strip()
        lines.append(f"| {row.text} | {target} | {measured} | {met} |")
    return lines


def document(results: Results) -> str:
    """All tables."""
    machine = results.at("machine") or {}
    parts = ["# Results", "; ".join(f"{name}: {value}" for name, value in machine.items())]
    for database, label in (("postgres", "PostgreSQL"), ("sqlite", "SQLite")):
        if results.at(database):
            parts += [f"## {label}, 32 connections",
                      "The columns without a name: Acclaim's number through the contender's.",
                      "\n".join(works(results, database))]
    for title, table in (
        ("More about Acclaim", extras(results)),
        ("Cost by the number of posts, PostgreSQL", growth(results, "postgres")),
        ("Cost by the number of posts, SQLite", growth(results, "sqlite")),
        ("Targets", targets(results)),
    ):
        if table:
            parts += [f"## {title}", "\n".join(table)]
    return "\n\n".join(parts) + "\n"
