"""How many password hashes a second this machine makes when it does nothing else."""

import subprocess

from .machine import BENCH


def raw_rate(seconds: float) -> float:
    """Argon2id as the service makes it, on as many threads as there are cores: `../hashes`."""
    program = BENCH / ".tools" / "hashes" / "release" / "acclaim-bench-hashes"
    done = subprocess.run([program, str(seconds)], capture_output=True, text=True, check=True)
    return float(done.stdout)
