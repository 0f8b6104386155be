"""Measurements of Acclaim besides the highest rates: steady load, sign-ins, one client, start-up."""

import random
import statistics
import threading
import time
from pathlib import Path

from .arena import Arena, OnSqlite, one
from .contenders import Acclaim, Contender
from .generators import oha, oha_seen, percentile, wrk
from .hashes import raw_rate
from .http import ID, Client, Request
from .machine import Memory, Process, answers, free_port
from .rows import NEWEST
from .work import Requests

# Share of the highest rate.
CALM = 0.4
SLICE = 10


def one_connection(requests: Requests, seconds: float) -> dict[str, float]:
    """Median latency with a single connection, in milliseconds."""
    pids = requests.contender.process.family()
    return {work: one(requests, work, pids, seconds, 1, connections=1)[0].p50
            for work in ("single", "first_page")}


def steady(requests: Requests, folder: Path, highest: dict[str, float | None], seconds: int) -> dict:
    """99th percentile at 40 % of the highest rate, for each slice of 10 s, in milliseconds.

    `highest` has the rates of `single` and `mixed`.
    """
    contender = requests.contender
    loads = {
        "single": [(contender.single(), 1.0)],
        "mixed": [(contender.single(), 0.6), (contender.first_page(), 0.3),
                  (contender.vote(1, True), 0.08), (contender.new_post(1), 0.02)],
    }
    seen = {}
    for name, parts in loads.items():
        pids = contender.process.family()
        rate = (highest[name] or one(requests, name, pids, 5, 1)[0].rate) * CALM
        running = [
            oha(*_arguments(contender, folder / f"{name}{place}", request), share, rate, seconds)
            for place, (request, share) in enumerate(parts)
        ]
        times = [sent for process in running for sent in oha_seen(process)]
        slices = [[] for _ in range(max(1, seconds // SLICE))]
        for sent, took in times:
            slices[min(len(slices) - 1, int(sent // SLICE))].append(took)
        seen[name] = {
            "asked": rate, "rate": len(times) / seconds,
            "p99": percentile([took for _, took in times], 0.99),
            "slices": [percentile(part, 0.99) for part in slices if part],
            "max": max(took for _, took in times),
        }
    return seen


def _arguments(contender: Contender, file: Path, request: Request) -> tuple[str, list[str]]:
    """The URL and oha's arguments to send `request` for one post after the other."""
    posts = list(range(1, contender.rows.posts - 2 * NEWEST))
    random.Random(4).shuffle(posts)
    base = f"http://127.0.0.1:{contender.port}"
    arguments = ["-m", request.method, "-H", f"Authorization: Bearer {contender.tokens[0]}"]
    if ID in request.path:
        file.write_text("\n".join(base + request.of(post).path for post in posts) + "\n")
        return str(file), ["--urls-from-file", *arguments]
    if request.body:
        arguments += ["-T", request.kind]
    if ID in request.body:
        file.write_text("\n".join(request.of(post).body for post in posts) + "\n")
        arguments += ["-Z", str(file)]
    elif request.body:
        arguments += ["-d", request.body]
    return base + request.path, arguments


def sign_ins(requests: Requests, seconds: float) -> dict[str, float]:
    """16 simultaneous sign-ins compared with bare hashes, and the rate of reads during them."""
    port = requests.contender.port
    pids = requests.contender.process.family()
    idle = one(requests, "single", pids, seconds, 1)[0].rate
    with Memory(pids) as memory:
        alone = wrk(port, requests.of("sign_in"), seconds, 16).rate
        reads = []
        reading = threading.Thread(target=lambda: reads.append(
            wrk(port, requests.of("single"), seconds).rate))
        reading.start()
        together = wrk(port, requests.of("sign_in"), seconds, 16).rate
        reading.join()
    return {"raw_hashes": raw_rate(seconds), "sign_ins": alone, "sign_ins_meanwhile": together,
            "reads_idle": idle, "reads_meanwhile": reads[0], "memory": memory.most}


def who_is_known(contender: Contender, times: int = 50) -> dict[str, float]:
    """Median latencies of a wrong password for a known and an unknown user, in milliseconds."""
    took = {"known": [], "unknown": []}
    with Client(contender.port) as client:
        for turn in range(times):
            for kind, reader in (("known", turn % 64 + 1), ("unknown", 10_000_000 + turn)):
                began = time.perf_counter()
                client.expect(401, contender.login(reader, "not the password"))
                took[kind].append((time.perf_counter() - began) * 1000)
    return {kind: statistics.median(all_of_it) for kind, all_of_it in took.items()}


def start(arena: OnSqlite, times: int = 10) -> dict[str, float]:
    """Time from the command to the first answer of `/health/ready`, in milliseconds: with the rows, and
    without a file, where the service creates all tables first."""
    took = {"rows": [], "nothing": []}
    for _ in range(times):
        file = arena.folder / "nothing.db"
        for old in arena.folder.glob("nothing.db*"):
            old.unlink()
        for kind, database in (("rows", arena.copy("acclaim")), ("nothing", f"sqlite://{file}")):
            took[kind].append(_until_ready(arena.acclaim, database) * 1000)
    return {kind: statistics.median(each) for kind, each in took.items()}


def _until_ready(acclaim: Acclaim, database: str) -> float:
    acclaim.port = free_port()
    env = acclaim.variables(database)
    began = time.perf_counter()
    process = Process(acclaim.command(), acclaim.folder / "start.log", env=env, cwd=acclaim.cwd())
    try:
        process.wait_for(lambda: answers(acclaim.port, acclaim.ready), every=0.0005)
        return time.perf_counter() - began
    finally:
        process.stop()


def all_of(arena: Arena, folder: Path, highest: dict[str, float | None], seconds: float,
           long: int) -> dict:
    """All measurements on `arena` besides its works."""
    seen = {}
    if isinstance(arena, OnSqlite):
        seen["start"] = start(arena)
    with arena.running(arena.acclaim) as requests:
        seen["one_connection"] = one_connection(requests, seconds)
        if not isinstance(arena, OnSqlite):
            seen["steady"] = steady(requests, folder, highest, long)
            seen["sign_ins"] = sign_ins(requests, 2 * seconds)
            seen["who_is_known"] = who_is_known(requests.contender)
    return seen
