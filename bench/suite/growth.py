"""Cost of the same request with a thousand to a million posts."""

from collections.abc import Iterator
from pathlib import Path

from .arena import Arena, OnPostgres, OnSqlite
from .postgres import Cluster
from .rows import Rows

SIZES = (1_000, 10_000, 100_000, 1_000_000)
WORKS = {
    "first_page_many": "first page",
    "deep_page": "page at 99 % of the depth",
    "search": "search, 1 % match",
    "vote": "vote",
}


def arenas(folder: Path, binary: Path, cluster: Cluster, sizes) -> list[Arena]:
    """Acclaim on both databases with each number of posts and one vote per post."""
    made = []
    for posts in sizes:
        rows = Rows(posts, posts, 10_000)
        on_sqlite = folder / f"sqlite{posts}"
        on_sqlite.mkdir()
        made += [OnPostgres(folder, rows, binary, cluster), OnSqlite(on_sqlite, rows, binary)]
    for arena in made:
        arena.contenders = [arena.acclaim]
    return made


def measure(arena: Arena, seconds: float) -> Iterator[tuple[str, float, float]]:
    """Yields work, requests per second and median in milliseconds. Requests are sent one after the other,
    because simultaneous requests share queries and would hide the cost of one."""
    for work, seen, _ in arena.measure("acclaim", list(WORKS), seconds, 0.5, connections=1):
        yield work, seen.rate, seen.p50
