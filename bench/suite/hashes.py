"""Password hashes per second if the machine does nothing else."""

import subprocess

from .machine import BENCH


def raw_rate(seconds: float) -> float:
    """Argon2id with the service's parameters, on as many threads as cores: `../hashes`."""
    program = BENCH / ".tools" / "hashes" / "release" / "acclaim-bench-hashes"
    done = subprocess.run([program, str(seconds)], capture_output=True, text=True, check=True)
    return float(done.stdout)
