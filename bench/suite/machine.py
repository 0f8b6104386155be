"""Processes: start, wait for readiness, measure memory, stop."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
VENV = BENCH / ".venv" / "bin"
PATIENCE = 60


def free_port() -> int:
    """A free TCP port of the loopback address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Process:
    """A program that runs until `stop`, or until this one ends."""

    def __init__(self, command: list, log: Path, env: dict | None = None, cwd: Path | None = None,
                 user: tuple[int, int] | None = None, end: int = signal.SIGTERM):
        wrapped = ["setpriv", "--pdeathsig", signal.Signals(end).name[3:]]
        if user:
            wrapped += [f"--reuid={user[0]}", f"--regid={user[1]}", "--clear-groups"]
        self.end = end
        self.log = log
        with open(log, "ab") as output:
            self.child = subprocess.Popen(
                [*wrapped, *map(str, command)], env=env, cwd=cwd, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True)

    def check(self) -> None:
        """Fails with the end of the log if the process has ended."""
        if self.child.poll() is not None:
            tail = self.log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{self.child.args[3:]} ended with {self.child.returncode}:\n{tail}")

    def wait_for(self, ready, every: float = 0.02) -> None:
        """Waits until `ready()` is true, polling every `every` seconds."""
        deadline = time.monotonic() + PATIENCE
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.child.args[3:]} does not answer")
            time.sleep(every)

    def family(self) -> list[int]:
        """The ids of the process and all its descendants."""
        parents = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    stat = (entry / "stat").read_text()
                except OSError:
                    continue
                parents[int(entry.name)] = int(stat.rsplit(")", 1)[1].split()[1])
        found = [self.child.pid]
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        return found

    def stop(self) -> None:
        """Sends a request to end, and kills the process group after 20 s."""
        if self.child.poll() is None:
            self.child.send_signal(self.end)
        try:
            self.child.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait()


def resident(pid: int) -> int:
    """Resident memory of process `pid` in bytes, or 0 if it has ended."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


class Memory:
    """Records the highest sum of the resident memory of `pids` while the context is active."""

    def __init__(self, pids: list[int]):
        self.pids = pids
        self.most = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while True:
            self.most = max(self.most, sum(map(resident, self.pids)))
            if self._over.wait(0.2):
                return

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()


def answers(port: int, path: str) -> bool:
    """True if a GET of `path` is answered with a status below 500."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < 500
    except OSError:
        return False
    finally:
        connection.close()


def first_line(*command) -> str:
    """The first line that a program prints, or an empty text if the program is missing."""
    if not shutil.which(str(command[0])):
        return ""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines else ""
