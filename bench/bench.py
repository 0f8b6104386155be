"""Measures Acclaim and its peers. `run` installs the requirements. See README.md."""

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from suite import extras, growth, pictures, tables, versus
from suite.arena import Arena, OnPostgres, OnSqlite
from suite.machine import BENCH, first_line
from suite.postgres import Cluster
from suite.results import LABELS, Results
from suite.rows import Rows
from suite.work import WORKS

PARTS = ("postgres", "sqlite", "extras", "growth")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__)
    parser.add_argument("--quick", action="store_true",
                        help="few rows, one round of a second each: to try it, not to measure; "
                        "growth too")
    parser.add_argument("--growth", action="store_true",
                        help="what requests cost among more and more posts, and nothing else")
    parser.add_argument("--only", default="", metavar="NAMES",
                        help="parts, contenders and works, separated by commas: "
                        + ", ".join((*PARTS, *LABELS, *WORKS)))
    parser.add_argument("--rounds", type=int, metavar="N")
    parser.add_argument("--seconds", type=float, metavar="S", help="of a measurement")
    parser.add_argument("--binary", type=Path, default=BENCH.parent / "target/release/acclaim")
    parser.add_argument("--against", type=Path, metavar="FILE",
                        help="compares --binary with this earlier build, on both databases in turn, "
                        "and nothing else")
    parser.add_argument("--out", type=Path, metavar="FOLDER")
    given = parser.parse_args()
    quick = given.quick
    given.rounds = given.rounds or (1 if quick else 3)
    given.seconds = given.seconds or (1 if quick else 3)
    given.out = given.out or BENCH / ("quick" if quick else "results")
    given.binary = given.binary.resolve()
    names = {"growth"} if given.growth else set(filter(None, given.only.split(",")))
    if unknown := names - {*PARTS, *LABELS, *WORKS}:
        parser.error(f"--only knows no {', '.join(sorted(unknown))}")
    given.parts = [part for part in PARTS if part in names] or list(PARTS if quick else PARTS[:-1])
    given.contenders = [each for each in LABELS if each in names] or list(LABELS)
    given.works = [work for work in WORKS if work in names] or list(WORKS)
    return given


def say(words: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {words}", flush=True)


def machine(given: argparse.Namespace, cluster: Cluster) -> dict[str, str]:
    """Machine and versions of the measurement."""
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").open()
                  if line.startswith("model name")), "unknown")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    packages = ("fastapi", "sqlalchemy", "psycopg", "uvicorn", "datasette")
    return {
        "cores": str(len(os.sched_getaffinity(0))), "processor": model, "memory": f"{memory} GiB",
        "Acclaim": first_line(given.binary, "--version"), "PostgreSQL": cluster.version(),
        "Node.js": first_line("node", "--version"), "wrk": first_line("wrk", "--version").split()[1],
        **{name: version(name) for name in packages},
        "rounds": str(given.rounds), "seconds": f"{given.seconds:g}",
        **({"only a quick try": "the numbers mean nothing"} if given.quick else {}),
    }


def compete(given: argparse.Namespace, results: Results, arena: Arena) -> None:
    """Measures all contenders of `arena` in turn, round by round, so that changes of the machine affect all
    of them."""
    names = [each.name for each in arena.contenders] + ["pgbench"] * (arena.name == "postgres")
    names = [name for name in names if name in given.contenders]
    for turn in range(given.rounds):
        for name in names:
            for work, seen, memory in arena.measure(name, given.works, given.seconds, 1):
                say(f"{arena.label}, round {turn + 1}: {name}, {WORKS[work]}: {seen.rate:,.0f}/s, "
                    f"p50 {seen.p50:.2f} ms, p99 {seen.p99:.2f} ms, {memory >> 20} MiB")
                results.add([arena.name, name, work], {
                    "rate": seen.rate, "p50": seen.p50, "p99": seen.p99, "memory": memory})
            results.save()


def grow(given: argparse.Namespace, results: Results, folder: Path, cluster: Cluster) -> None:
    """Measures the same requests with increasing numbers of posts, the sizes in turn."""
    sizes = growth.SIZES[:2] if given.quick else growth.SIZES
    arenas = growth.arenas(folder, given.binary, cluster, sizes)
    for arena in arenas:
        say(f"{arena.label}: loading {arena.rows.posts:,} posts")
        arena.load()
    for turn in range(given.rounds):
        for arena in arenas:
            for work, rate, p50 in growth.measure(arena, min(2, given.seconds)):
                posts = str(arena.rows.posts)
                say(f"{arena.label}, round {turn + 1}: {arena.rows.posts:,} posts, {growth.WORKS[work]}: "
                    f"{rate:,.0f}/s")
                results.add(["growth", arena.name, posts, work], {"rate": rate, "p50": p50})
        results.save()


def measure(given: argparse.Namespace, results: Results, folder: Path, cluster: Cluster) -> None:
    results.clear(*given.parts)
    results.all["machine"] = machine(given, cluster)
    rows = Rows(2_000, 8_000, 500) if given.quick else Rows()
    here = folder / "sqlite"
    here.mkdir()
    for arena in (OnPostgres(folder, rows, given.binary, cluster),
                  OnSqlite(here, rows, given.binary)):
        if not {arena.name, "extras"} & set(given.parts):
            continue
        say(f"{arena.label}: loading {rows.posts:,} posts and {rows.votes:,} votes")
        arena.load()
        if arena.name in given.parts:
            say(f"{arena.label}: comparing the answers")
            arena.check()
            compete(given, results, arena)
        if "extras" in given.parts:
            say(f"{arena.label}: more about Acclaim")
            highest = {work: results.median(arena.name, "acclaim", work, "rate")
                       for work in ("single", "mixed")}
            seen = extras.all_of(arena, folder, highest, given.seconds, 10 if given.quick else 60)
            results.all.setdefault("extras", {})[arena.name] = seen
            results.save()
    if "growth" in given.parts:
        grow(given, results, folder, cluster)


def main() -> None:
    given = arguments()
    if not given.binary.exists():
        raise SystemExit(f"there is no {given.binary}")
    results = Results(given.out)
    folder = Path(tempfile.mkdtemp(prefix="acclaim-bench-"))
    cluster = None
    try:
        cluster = Cluster(folder)
        if given.against:
            rows = Rows(2_000, 8_000, 500) if given.quick else Rows()
            named = given.works != list(WORKS)
            works = given.works if named else versus.USUAL
            print(versus.compare(folder, rows, cluster, given.against.resolve(), given.binary,
                                 given.parts, works, given.rounds, given.seconds, say))
            return
        measure(given, results, folder, cluster)
    finally:
        if cluster:
            cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)
    results.save()
    document = tables.document(results)
    (given.out / "tables.md").write_text(document)
    if {"postgres", "sqlite"} & set(given.parts):
        (given.out / "throughput.svg").write_text(pictures.throughput(results))
    if "growth" in given.parts:
        (given.out / "growth.svg").write_text(pictures.growth(results))
    print(document)
    say(f"all of it is in {given.out}")


if __name__ == "__main__":
    main()
