"""What the same request costs among a thousand posts and among a million."""

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
    """Acclaim alone, on both databases, on each number of posts; one vote a post."""
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
    """Work, requests a second, and their median in milliseconds. They come one after the other:
    those that come together share queries, and would hide what one costs."""
    for work, seen, _ in arena.measure("acclaim", list(WORKS), seconds, 0.5, connections=1):
        yield work, seen.rate, seen.p50
