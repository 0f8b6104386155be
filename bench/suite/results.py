"""The measurements in `results.json` and their medians.

{"machine": {..}, "postgres": {contender: {work: [round, ..]}}, "sqlite": .., "extras": {database: ..},
"growth": {database: {posts: {work: [round, ..]}}}}, a round being {"rate", "p50", "p99", "memory"}.
"""

import json
import statistics
from pathlib import Path

LABELS = {
    "acclaim": "Acclaim",
    "course": "FastAPI, SQLAlchemy",
    "fastify": "fastify, pg",
    "datasette": "Datasette",
    "pgbench": "pgbench, no server",
}


class Results:
    """The measurements, written to `folder` as they are made."""

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "results.json"
        self.all = json.loads(self.file.read_text()) if self.file.exists() else {}

    def save(self) -> None:
        """Writes all measurements."""
        self.file.write_text(json.dumps(self.all, indent=1, sort_keys=True) + "\n")

    def clear(self, *parts: str) -> None:
        """Removes the measurements of an earlier run."""
        for part in parts:
            self.all.pop(part, None)

    def add(self, path: list[str], seen: dict) -> None:
        """Adds one round."""
        place = self.all
        for step in path[:-1]:
            place = place.setdefault(step, {})
        place.setdefault(path[-1], []).append(seen)

    def at(self, *path: str):
        """The value at a path, or nothing."""
        place = self.all
        for step in path:
            place = place.get(step) if isinstance(place, dict) else None
        return place

    def median(self, *path: str) -> float | None:
        """The median over the rounds of the last step: `rate`, `p50`, `p99` or `memory`."""
        rounds = self.at(*path[:-1])
        return statistics.median(each[path[-1]] for each in rounds) if rounds else None

    def ratio(self, one: tuple, other: tuple) -> float | None:
        """The median at `one` divided by the median at `other`."""
        above, below = self.median(*one), self.median(*other)
        return above / below if above is not None and below else None

    def most_memory(self, database: str, contender: str) -> float | None:
        """The highest median memory of all works but sign-ins, which have their own limit, in bytes."""
        works = [work for work in self.at(database, contender) or {} if work != "sign_in"]
        found = [self.median(database, contender, work, "memory") for work in works]
        return max(found, default=None)
