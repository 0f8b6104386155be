"""Databases for the contenders: the rows in PostgreSQL and SQLite, with a fresh copy for each start."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import check, load
from .contenders import Acclaim, Contender, Course, Datasette, Fastify
from .generators import CONNECTIONS, Measured, pgbench, wrk
from .machine import Memory
from .postgres import Cluster
from .rows import Rows
from .work import Requests, scripts

# Seconds in which a contender can give back the memory that the sign-ins took.
SETTLE = 4

# Seconds to measure a work that is too slow for the usual time.
LONG = 30


class Arena:
    """One kind of database, with the contenders that use it."""

    name = ""
    label = ""

    def __init__(self, folder: Path, rows: Rows, contenders: list[Contender]):
        self.folder = folder
        self.rows = rows
        self.contenders = contenders

    def load(self) -> None:
        """Creates the tables and fills them."""
        raise NotImplementedError

    def copy(self, contender: str) -> str:
        """Copies the rows into a database of `contender`'s own and returns its location."""
        raise NotImplementedError

    @contextmanager
    def running(self, contender: Contender) -> Iterator[Requests]:
        """Starts `contender` on fresh rows, with its readers signed in."""
        database = self.copy(contender.name)
        try:
            contender.start(database)
            yield Requests(contender)
        finally:
            contender.stop()

    def check(self) -> None:
        """Fails unless all contenders give the same answers."""
        reference = None
        for contender in self.contenders:
            with self.running(contender):
                reads = check.reads(contender)
                check.compare(contender.label, check.expected(self.rows), check.writes(contender))
            reference = reference or reads
            check.compare(contender.label, reference, reads)

    def measure(self, name: str, works: list[str], seconds: float, warm: float,
                connections: int = CONNECTIONS) -> Iterator[tuple]:
        """Starts contender `name` once and measures `works`: work, measurement, memory in bytes."""
        contender = next(each for each in self.contenders if each.name == name)
        works = [work for work in works if work not in contender.cannot]
        with self.running(contender) as requests:
            pids = contender.process.family()
            time.sleep(SETTLE)
            for work in works:
                yield (work, *one(requests, work, pids, seconds, warm, connections))


def one(requests: Requests, work: str, pids: list[int], seconds: float, warm: float,
        connections: int = CONNECTIONS) -> tuple[Measured, int]:
    """Warms `work` up and measures it: measurement and memory in bytes."""
    port = requests.contender.port
    if warm:
        requests.sent(work, wrk(port, requests.of(work), warm, connections).requests)
    with Memory(pids) as memory:
        seen = wrk(port, requests.of(work), seconds, connections)
        if seen.requests < 2 * connections:
            # Requests that are running at the end are not counted, so they must be a small part.
            requests.sent(work, seen.requests)
            seen = wrk(port, requests.of(work), LONG, connections)
    requests.sent(work, seen.requests)
    return seen, memory.most


class OnPostgres(Arena):
    """PostgreSQL: Acclaim, the course's stack, fastify, and pgbench without a server."""

    name = "postgres"
    label = "PostgreSQL"

    def __init__(self, folder: Path, rows: Rows, binary: Path, cluster: Cluster):
        acclaim = Acclaim(folder, rows, binary)
        super().__init__(folder, rows, [acclaim, Course(folder, rows), Fastify(folder, rows)])
        self.acclaim = acclaim
        self.cluster = cluster
        self.templates = {"course": f"course_{rows.posts}"}
        self.template = f"acclaim_{rows.posts}"

    def load(self) -> None:
        load.acclaim_postgres(self.cluster, self.template, self.acclaim.binary, self.rows)
        if any(contender.name == "course" for contender in self.contenders):
            load.course_postgres(self.cluster, self.templates["course"], self.rows)

    def copy(self, contender: str) -> str:
        self.cluster.copy(self.templates.get(contender, self.template), "arena")
        return self.cluster.url("arena")

    def check(self) -> None:
        super().check()
        with self.running(self.acclaim):
            reads = check.reads(self.acclaim)
            depth = self.acclaim.depth()
            floor = check.statements(self.cluster, "arena", self.rows, depth)
        check.compare("pgbench", reads, floor)

    def measure(self, name: str, works: list[str], seconds: float, warm: float,
                connections: int = CONNECTIONS) -> Iterator[tuple]:
        if name != "pgbench":
            yield from super().measure(name, works, seconds, warm, connections)
            return
        self.copy(name)
        statements = scripts(self.folder, self.rows, self.acclaim.depth())
        for work in works:
            if work in statements:
                if warm:
                    pgbench(self.cluster, "arena", statements[work], warm)
                yield work, pgbench(self.cluster, "arena", statements[work], seconds), 0


class OnSqlite(Arena):
    """SQLite: Acclaim and Datasette."""

    name = "sqlite"
    label = "SQLite"

    def __init__(self, folder: Path, rows: Rows, binary: Path):
        acclaim = Acclaim(folder, rows, binary)
        super().__init__(folder, rows, [acclaim, Datasette(folder, rows)])
        self.acclaim = acclaim

    def load(self) -> None:
        (self.folder / "loaded").mkdir()
        load.acclaim_sqlite(self.folder / "loaded" / "acclaim.db", self.acclaim.binary, self.rows)
        if len(self.contenders) > 1:
            load.datasette(self.folder / "loaded" / "datasette.db", self.rows)

    def copy(self, contender: str) -> str:
        # Datasette names a database after its file.
        file = self.folder / "bench.db"
        for old in self.folder.glob("bench.db*"):
            old.unlink()
        shutil.copy(self.folder / "loaded" / f"{contender}.db", file)
        # Otherwise the copy would be written to the disk during a measurement.
        os.sync()
        return str(file) if contender == "datasette" else f"sqlite://{file}"
