"""The project's performance targets."""

from collections.abc import Callable
from dataclasses import dataclass

from .results import Results


@dataclass(frozen=True)
class Target:
    """A target. With `at_least` the measured value must not be below it, otherwise not above it."""

    text: str
    target: float | None
    measured: Callable[[Results], float | None]
    unit: str = "×"
    at_least: bool = True

    def met(self, value: float) -> bool:
        """True if `value` meets the target."""
        if self.target is None:
            return False
        return value >= self.target if self.at_least else value <= self.target


def _against(work: str, contender: str, database: str = "postgres", theirs: str = ""):
    return lambda results: results.ratio((database, "acclaim", work, "rate"),
                                         (database, contender, theirs or work, "rate"))


def _of_first_page(work: str):
    return lambda results: results.ratio(("postgres", "acclaim", work, "rate"),
                                         ("postgres", "acclaim", "first_page_many", "rate"))


def _extra(*path: str):
    return lambda results: results.at("extras", *path)


def _through(one: tuple, other: tuple):
    def measured(results: Results) -> float | None:
        above, below = results.at("extras", *one), results.at("extras", *other)
        return above / below if above is not None and below else None

    return measured


def _mib(value: float | None) -> float | None:
    return value / (1 << 20) if value is not None else None


def _growth(database: str):
    """Cost of a first page with 10^6 posts divided by its cost with 10^4."""
    return lambda results: results.ratio(("growth", database, "10000", "first_page_many", "rate"),
                                         ("growth", database, "1000000", "first_page_many", "rate"))


def _unevenness(results: Results) -> float | None:
    """The highest 99th percentile of a slice divided by the lowest."""
    slices = results.at("extras", "postgres", "steady", "mixed", "slices")
    return max(slices) / min(slices) if slices else None


ONE = "GET /posts/{id}"
PAGE = "GET /posts, first page"
P99 = "p99 at 40 % of the highest rate over 60 s"
ALONE = ("postgres", "one_connection")
SIGN_INS = ("postgres", "sign_ins")
KNOWN = ("postgres", "who_is_known")

TARGETS = (
    Target(f"{ONE} against fastify", 1.6, _against("single", "fastify")),
    Target(f"{ONE} against the course's stack", 30, _against("single", "course")),
    Target(f"{ONE} against pgbench", 0.4, _against("single", "pgbench")),
    Target(f"{PAGE}, one reader, against fastify", 1.6, _against("first_page", "fastify")),
    Target(f"{PAGE}, 64 readers, against fastify", 1.6, _against("first_page_many", "fastify")),
    Target(f"{PAGE}, one reader, against the course's stack", 40,
            _against("first_page", "course")),
    Target(f"{PAGE}, 64 readers, against the course's stack", 40,
            _against("first_page_many", "course")),
    Target(f"{PAGE}, one reader, against pgbench", 0.45, _against("first_page", "pgbench")),
    Target(f"{PAGE}, 64 readers, against pgbench", 0.45, _against("first_page_many", "pgbench")),
    Target("page at depth 99,000 against the first page", 0.8, _of_first_page("deep_page")),
    Target("search for a word in 1 % of the posts against the first page", 0.3,
            _of_first_page("search")),
    Target("the same, best match first", 0.3, _of_first_page("search_best")),
    Target("the same, 64 words at once", None, _of_first_page("search_words")),
    Target("POST /posts against the course's stack", 20, _against("new_post", "course")),
    Target("POST /posts against pgbench's single insert", 0.45, _against("new_post", "pgbench")),
    Target("POST /vote, spread, against the course's stack", 20, _against("vote", "course")),
    Target("POST /vote, spread, against pgbench's single insert", 0.45,
            _against("vote", "pgbench", theirs="new_post")),
    Target("POST /vote, all on one post, against the course's stack", 20,
            _against("vote_hot", "course")),
    Target("resident memory under load", 40,
            lambda results: _mib(results.most_memory("postgres", "acclaim")), "MiB", False),
    Target("start to ready on SQLite", 100, _extra("sqlite", "start", "rows"), "ms", False),
    Target("first page at 10^6 posts against 10^4, PostgreSQL", 1.3, _growth("postgres"),
            "× the cost", False),
    Target("first page at 10^6 posts against 10^4, SQLite", 1.3, _growth("sqlite"),
            "× the cost", False),
    Target(f"{P99}, one post", 3, _extra("postgres", "steady", "single", "p99"), "ms", False),
    Target(f"{P99}, mixed", 3, _extra("postgres", "steady", "mixed", "p99"), "ms", False),
    Target("the same, worst 10 s against best 10 s", 3, _unevenness, "×", False),
    Target("sign-ins, 16 at once, against the bare hashes", 0.9,
            _through((*SIGN_INS, "sign_ins"), (*SIGN_INS, "raw_hashes"))),
    Target("reads during sign-ins against reads alone", 0.6,
            _through((*SIGN_INS, "reads_meanwhile"), (*SIGN_INS, "reads_idle"))),
    Target("memory during sign-ins", 100,
            lambda results: _mib(results.at("extras", *SIGN_INS, "memory")), "MiB", False),
    Target("sign-in of a known against an unknown user", None,
            _through((*KNOWN, "known"), (*KNOWN, "unknown")), "× the time", False),
    Target(f"SQLite: {ONE} against Datasette", 40, _against("single", "datasette", "sqlite")),
    Target(f"SQLite: {PAGE}, 64 readers, against Datasette", 40,
            _against("first_page_many", "datasette", "sqlite")),
    Target("SQLite: POST /posts against Datasette", 15,
            _against("new_post", "datasette", "sqlite")),
    Target("SQLite: POST /vote, spread, against Datasette", 15,
            _against("vote", "datasette", "sqlite")),
    Target(f"one connection, {ONE}, p50", None, _extra(*ALONE, "single"), "ms", False),
    Target(f"one connection, {PAGE}, p50", None, _extra(*ALONE, "first_page"), "ms", False),
)
