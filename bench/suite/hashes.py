"""How many password hashes a second this machine makes when it does nothing else.

Run as a program: `python -m suite.hashes SECONDS` prints the number.
"""

import os
import subprocess
import sys
import threading
import time

from .machine import BENCH, VENV

# The hash's 19 MiB stay with the thread instead of coming anew from the kernel each time.
_KEEP = {"MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "1073741824",
         "MALLOC_TOP_PAD_": "33554432"}


def raw_rate(seconds: float) -> float:
    """Argon2id of 19 MiB, two passes and one lane on as many threads as there are cores."""
    done = subprocess.run([VENV / "python", "-m", "suite.hashes", str(seconds)], cwd=BENCH,
                          env={**os.environ, **_KEEP}, capture_output=True, text=True, check=True)
    return float(done.stdout)


def _measure(seconds: float) -> float:
    from argon2.low_level import Type, hash_secret_raw

    counts = []

    def work(end: float) -> None:
        count = 0
        while time.perf_counter() < end:
            # It runs without Python's lock.
            hash_secret_raw(b"correct horse battery staple", os.urandom(16), time_cost=2,
                            memory_cost=19_456, parallelism=1, hash_len=32, type=Type.ID)
            count += 1
        counts.append(count)

    began = time.perf_counter()
    threads = [threading.Thread(target=work, args=(began + seconds,))
               for _ in range(len(os.sched_getaffinity(0)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - began)


if __name__ == "__main__":
    print(_measure(float(sys.argv[1])))
