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
                        help="test run: few rows, one round of one second each; includes growth")
    parser.add_argument("--growth", action="store_true",
                        help="measures only the cost of requests with 1,000 to 1,000,000 posts")
    parser.add_argument("--only", default="", metavar="NAMES",
                        help="parts, contenders and works, separated by commas: "
                        + ", ".join((*PARTS, *LABELS, *WORKS)))
    parser.add_argument("--rounds", type=int, metavar="N")
    parser.add_argument("--seconds", type=float, metavar="S", help="duration of a measurement")
    parser.add_argument("--binary", type=Path, default=BENCH.parent / "target/release/acclaim")
    parser.add_argument("--against", type=Path, metavar="FILE",
                        help="only compares --binary with this earlier build, on both databases in turn")
    parser.add_argument("--out", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    quick = options.quick
    options.rounds = options.rounds or (1 if quick else 3)
    options.seconds = options.seconds or (1 if quick else 3)
    options.out = options.out or BENCH / ("quick" if quick else "results")
    options.binary = options.binary.resolve()
    names = {"growth"} if options.growth else set(filter(None, options.only.split(",")))
    if unknown := names - {*PARTS, *LABELS, *WORKS}:
        parser.error(f"unknown names in --only: {', '.join(sorted(unknown))}")
    options.parts = [part for part in PARTS if part in names] or list(PARTS if quick else PARTS[:-1])
    options.contenders = [label for label in LABELS if label in names] or list(LABELS)
    options.works = [work for work in WORKS if work in names] or list(WORKS)
    return options


def say(message: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {message}", flush=True)


def machine(options: argparse.Namespace, cluster: Cluster) -> dict[str, str]:
    """Machine and versions of the measurement."""
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").open()
                  if line.startswith("model name")), "unknown")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    packages = ("fastapi", "sqlalchemy", "psycopg", "uvicorn", "datasette")
    return {
        "cores": str(len(os.sched_getaffinity(0))), "processor": model, "memory": f"{memory} GiB",
        "Acclaim": first_line(options.binary, "--version"), "PostgreSQL": cluster.version(),
        "Node.js": first_line("node", "--version"), "wrk": first_line("wrk", "--version").split()[1],
        **{name: version(name) for name in packages},
        "rounds": str(options.rounds), "seconds": f"{options.seconds:g}",
        **({"quick run": "the figures are not valid"} if options.quick else {}),
    }


def compete(options: argparse.Namespace, results: Results, arena: Arena) -> None:
    """Measures all contenders of `arena` in turn, round by round, so that changes of the machine affect all
    of them."""
    names = [contender.name for contender in arena.contenders] + ["pgbench"] * (arena.name == "postgres")
    names = [name for name in names if name in options.contenders]
    for turn in range(options.rounds):
        for name in names:
            for work, seen, memory in arena.measure(name, options.works, options.seconds, 1):
                say(f"{arena.label}, round {turn + 1}: {name}, {WORKS[work]}: {seen.rate:,.0f}/s, "
                    f"p50 {seen.p50:.2f} ms, p99 {seen.p99:.2f} ms, {memory >> 20} MiB")
                results.add([arena.name, name, work], {
                    "rate": seen.rate, "p50": seen.p50, "p99": seen.p99, "memory": memory})
            results.save()


def grow(options: argparse.Namespace, results: Results, folder: Path, cluster: Cluster) -> None:
    """Measures the same requests with increasing numbers of posts, the sizes in turn."""
    sizes = growth.SIZES[:2] if options.quick else growth.SIZES
    arenas = growth.arenas(folder, options.binary, cluster, sizes)
    for arena in arenas:
        say(f"{arena.label}: loading {arena.rows.posts:,} posts")
        arena.load()
    for turn in range(options.rounds):
        for arena in arenas:
            for work, rate, p50 in growth.measure(arena, min(2, options.seconds)):
                posts = str(arena.rows.posts)
                say(f"{arena.label}, round {turn + 1}: {arena.rows.posts:,} posts, {growth.WORKS[work]}: "
                    f"{rate:,.0f}/s")
                results.add(["growth", arena.name, posts, work], {"rate": rate, "p50": p50})
        results.save()


def measure(options: argparse.Namespace, results: Results, folder: Path, cluster: Cluster) -> None:
    results.clear(*options.parts)
    results.all["machine"] = machine(options, cluster)
    rows = Rows(2_000, 8_000, 500) if options.quick else Rows()
    here = folder / "sqlite"
    here.mkdir()
    for arena in (OnPostgres(folder, rows, options.binary, cluster),
                  OnSqlite(here, rows, options.binary)):
        if not {arena.name, "extras"} & set(options.parts):
            continue
        say(f"{arena.label}: loading {rows.posts:,} posts and {rows.votes:,} votes")
        arena.load()
        if arena.name in options.parts:
            say(f"{arena.label}: comparing the responses")
            arena.check()
            compete(options, results, arena)
        if "extras" in options.parts:
            say(f"{arena.label}: other measurements of Acclaim")
            highest = {work: results.median(arena.name, "acclaim", work, "rate")
                       for work in ("single", "mixed")}
            seen = extras.all_of(arena, folder, highest, options.seconds, 10 if options.quick else 60)
            results.all.setdefault("extras", {})[arena.name] = seen
            results.save()
    if "growth" in options.parts:
        grow(options, results, folder, cluster)


def main() -> None:
    options = arguments()
    if not options.binary.exists():
        raise SystemExit(f"{options.binary} does not exist")
    results = Results(options.out)
    folder = Path(tempfile.mkdtemp(prefix="acclaim-bench-"))
    cluster = None
    try:
        cluster = Cluster(folder)
        if options.against:
            rows = Rows(2_000, 8_000, 500) if options.quick else Rows()
            named = options.works != list(WORKS)
            works = options.works if named else versus.USUAL
            print(versus.compare(folder, rows, cluster, options.against.resolve(), options.binary,
                                 options.parts, works, options.rounds, options.seconds, say))
            return
        measure(options, results, folder, cluster)
    finally:
        if cluster:
            cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)
    results.save()
    document = tables.document(results)
    (options.out / "tables.md").write_text(document)
    if {"postgres", "sqlite"} & set(options.parts):
        (options.out / "throughput.svg").write_text(pictures.throughput(results))
    if "growth" in options.parts:
        (options.out / "growth.svg").write_text(pictures.growth(results))
    print(document)
    say(f"the results are in {options.out}")


if __name__ == "__main__":
    main()
