"""The load generators: wrk for the highest rate, oha for a given rate, pgbench for the lower bound."""

import csv
import io
import json
import math
import re
import statistics
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .machine import BENCH
from .postgres import Cluster

CONNECTIONS = 32


@dataclass(frozen=True)
class Measured:
    """A measurement of a load generator. Times are in milliseconds."""

    rate: float
    p50: float
    p99: float
    requests: int


def as_lua(value) -> str:
    """A Lua expression."""
    if isinstance(value, dict):
        return "{" + ",".join(f"[{as_lua(key)}]={as_lua(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ",".join(map(as_lua, value)) + "}"
    # The texts contain only those JSON escapes that Lua knows.
    return json.dumps(value)


def wrk(port: int, work: dict, seconds: float, connections: int = CONNECTIONS) -> Measured:
    """Sends the next request of `work` as soon as the previous one is answered.

    wrk uses one thread for all connections, except for works where each connection is a user.
    """
    threads = connections if work.get("kind") == "toggle" else 1
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write("return " + as_lua(work))
        file.flush()
        done = subprocess.run(
            ["wrk", f"-t{threads}", f"-c{connections}", f"-d{max(1, round(seconds))}s",
             "--timeout", "30s", "-s", BENCH / "load" / "work.lua", f"http://127.0.0.1:{port}/",
             "--", file.name],
            capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"requests"')]
    if not lines:
        raise RuntimeError(f"wrk: {done.stdout}{done.stderr}")
    seen = json.loads(lines[0])
    if seen["refused"] or seen["lost"]:
        raise RuntimeError(f"not every request was answered well: {seen}")
    return Measured(seen["requests"] / seen["microseconds"] * 1e6,
                    seen["p50"] / 1000, seen["p99"] / 1000, seen["requests"])


def oha(url: str, arguments: list[str], share: float, rate: float, seconds: int) -> subprocess.Popen:
    """Starts sending its share of `rate` requests per second, each timed from the moment it was due."""
    return subprocess.Popen(
        [BENCH / ".tools" / "bin" / "oha", "--no-tui", "-z", f"{seconds}s",
         "-q", str(round(rate * share)), "-c", str(math.ceil(CONNECTIONS * share)), "--latency-correction",
         "--disable-compression", "--worker-threads", "1", "--output-format", "csv", *arguments, url],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def oha_seen(process: subprocess.Popen) -> list[tuple[float, float]]:
    """Start (seconds from the beginning) and duration (milliseconds) of each request."""
    output, errors = process.communicate()
    if process.returncode:
        raise RuntimeError(f"oha: {errors}")
    rows = list(csv.DictReader(io.StringIO(output)))
    # oha draws votes at random, some of them twice. The second one is correctly rejected.
    bad = [row for row in rows if row["status"][0] != "2" and row["status"] != "409"]
    if bad or not rows:
        raise RuntimeError(f"{len(bad)} of {len(rows)} requests were not answered well: {bad[:1]}")
    return [(float(row["request-start"]), float(row["request-duration"]) * 1000) for row in rows]


def percentile(values: list[float], part: float) -> float:
    """The quantile `part` (0 to 1) of `values`."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def pgbench(cluster: Cluster, database: str, scripts: list[tuple[Path, int]], seconds: float,
            connections: int = CONNECTIONS) -> Measured:
    """Runs `scripts` as prepared statements, weighted by their shares."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [cluster.programs / "pgbench", "-h", "127.0.0.1", "-p", str(cluster.port),
             "-U", "postgres", "-n", "-M", "prepared", "-c", str(connections), "-j", "2",
             "-T", str(max(1, round(seconds))), "-l", "--sampling-rate=0.2", "-D", "adds=0",
             *(f"-f{script}@{share}" for script, share in scripts), database],
            cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"pgbench: {done.stdout}{done.stderr}")
        times = [int(line.split()[2]) / 1000
                 for log in Path(folder).glob("pgbench_log.*") for line in log.open()]
    rate = re.search(r"^tps = ([0-9.]+)", done.stdout, re.M)
    if not rate or not times:
        return Measured(0, 0, 0, 0)
    return Measured(float(rate[1]), statistics.median(times), percentile(times, 0.99),
                    round(float(rate[1]) * seconds))
