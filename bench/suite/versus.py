"""Two builds of Acclaim against each other, on both databases, in turn."""

import statistics
from collections.abc import Callable
from pathlib import Path

from . import load
from .arena import Arena, OnPostgres, OnSqlite
from .contenders import Acclaim
from .postgres import Cluster
from .rows import Rows
from .work import WORKS

BEFORE, AFTER = "before", "after"
# The works of a comparison, unless others are named.
USUAL = ["single", "first_page_many", "new_post", "vote", "mixed"]


class Build(Acclaim):
    """One of the two builds."""

    def __init__(self, folder: Path, rows: Rows, binary: Path, name: str):
        super().__init__(folder, rows, binary)
        self.name = name
        self.label = name


class BothOnPostgres(OnPostgres):
    """Each build with the schema of its own migrations."""

    def load(self) -> None:
        for build in self.contenders:
            self.templates[build.name] = f"{build.name}_{self.rows.posts}"
            load.acclaim_postgres(self.cluster, self.templates[build.name], build.binary, self.rows)


class BothOnSqlite(OnSqlite):
    """Each build with the schema of its own migrations."""

    def load(self) -> None:
        loaded = self.folder / "loaded"
        loaded.mkdir()
        for build in self.contenders:
            load.acclaim_sqlite(loaded / f"{build.name}.db", build.binary, self.rows)


def compare(folder: Path, rows: Rows, cluster: Cluster, before: Path, after: Path,
            parts: list[str], works: list[str], rounds: int, seconds: float, say: Callable[[str], None]) -> str:
    """A table of both rates and both sizes of memory: medians of the rounds, and their quotients."""
    here = folder / "sqlite"
    here.mkdir()
    lines = ["| database | work | before | after | quotient | memory before | after | quotient |",
             "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    arenas = (BothOnPostgres(folder, rows, after, cluster), BothOnSqlite(here, rows, after))
    for arena in (each for each in arenas if each.name in parts):
        arena.contenders = [Build(arena.folder, rows, build, name)
                            for build, name in ((before, BEFORE), (after, AFTER))]
        say(f"{arena.label}: loading {rows.posts:,} posts and {rows.votes:,} votes")
        arena.load()
        say(f"{arena.label}: comparing the answers")
        Arena.check(arena)
        seen: dict[tuple[str, str], list] = {}
        for turn in range(rounds):
            for name in (BEFORE, AFTER) if turn % 2 == 0 else (AFTER, BEFORE):
                for work, measured, memory in Arena.measure(arena, name, works, seconds, 1):
                    say(f"{arena.label}, round {turn + 1}: {name}, {WORKS[work]}: "
                        f"{measured.rate:,.0f}/s, {memory >> 10} KiB")
                    seen.setdefault((name, work), []).append((measured.rate, memory))
        for work in works:
            rates = [statistics.median(rate for rate, _ in seen[name, work])
                     for name in (BEFORE, AFTER)]
            sizes = [statistics.median(memory for _, memory in seen[name, work])
                     for name in (BEFORE, AFTER)]
            lines.append(
                f"| {arena.label} | {WORKS[work]} | {rates[0]:,.0f}/s | {rates[1]:,.0f}/s "
                f"| {rates[1] / rates[0]:.3f} | {sizes[0] / 2**20:.1f} MiB "
                f"| {sizes[1] / 2**20:.1f} MiB | {sizes[1] / sizes[0]:.3f} |")
    return "\n".join(lines)
