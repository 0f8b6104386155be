"""A temporary PostgreSQL with default settings."""

import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg

from .machine import Process, free_port


def programs() -> Path:
    """The folder of PostgreSQL's programs: from the PATH, or Debian's."""
    places = [Path(place) for place in os.environ.get("PATH", "").split(":") if place]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for place in places:
        if (place / "initdb").exists() and (place / "pgbench").exists():
            return place
    raise SystemExit("there is no PostgreSQL on this machine: apt-get install postgresql")


class Cluster:
    """A server with its files in `folder`. Commits are durable."""

    def __init__(self, folder: Path):
        self.programs = programs()
        self.port = free_port()
        user = None
        data = folder / "postgres"
        data.mkdir()
        if os.getuid() == 0:
            # PostgreSQL does not run as root.
            entry = pwd.getpwnam("postgres")
            user = (entry.pw_uid, entry.pw_gid)
            shutil.chown(data, *user)
            folder.chmod(0o755)
        as_user = ["setpriv", f"--reuid={user[0]}", f"--regid={user[1]}", "--clear-groups"]
        subprocess.run(
            [*(as_user if user else []), self.programs / "initdb", "-U", "postgres", "--auth=trust",
             "--encoding=UTF8", "--locale=C.UTF-8", "-D", data],
            cwd=data, check=True, stdout=subprocess.DEVNULL)
        # SIGINT closes the connections and shuts the server down cleanly.
        self.process = Process(
            [self.programs / "postgres", "-D", data, "-c", "listen_addresses=127.0.0.1",
             "-c", f"port={self.port}", "-c", "unix_socket_directories="],
            folder / "postgres.log", cwd=data, user=user, end=signal.SIGINT)
        self.process.wait_for(self._ready)

    def _ready(self) -> bool:
        try:
            psycopg.connect(self.url("postgres")).close()
            return True
        except psycopg.OperationalError:
            return False

    def url(self, database: str) -> str:
        """The URL of `database`."""
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """A connection in autocommit mode."""
        return psycopg.connect(self.url(database), autocommit=True)

    def version(self) -> str:
        """The version, such as `15.14 (Debian 15.14-0+deb12u1)`."""
        with self.connect() as connection:
            return connection.execute("SHOW server_version").fetchone()[0]

    def create(self, database: str) -> None:
        """Creates an empty database."""
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {database}")

    def copy(self, template: str, database: str) -> None:
        """Replaces `database` with a copy of `template` and flushes it to disk."""
        self.drop(database)
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {database} TEMPLATE {template} STRATEGY FILE_COPY")
            connection.execute("CHECKPOINT")

    def drop(self, database: str) -> None:
        """Removes `database` if it exists."""
        with self.connect() as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    def stop(self) -> None:
        """Stops the server."""
        self.process.stop()
