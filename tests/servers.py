"""Servers and a client for the scripts of this folder, which run as root with PostgreSQL and setpriv."""

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

# Seconds that a server may take to get ready.
LIMIT = 90
# Seconds that a program may take to end.
END_LIMIT = 60
POSTGRES = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
started = []


def install(program, package):
    """Installs the Debian package of a program that is missing."""
    if not shutil.which(program):
        environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", package], check=True, env=environment,
                       stdout=subprocess.DEVNULL)


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def listens(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def answers(url):
    """True if `url` answers with 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status == 200
    except (OSError, http.client.HTTPException):
        return False


def wait_until(condition, what, log=None):
    """Ends the script with the text of `log` if the condition is not true in time."""
    end = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"{what}: not within {LIMIT} s\n{log.read_text() if log else ''}")
        time.sleep(0.1)


@contextlib.contextmanager
def temporary_folder():
    """A folder of the user postgres, which all can read. At its end the programs end, the last one first."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        shutil.chown(folder, "postgres", "postgres")
        try:
            yield folder
        finally:
            for process in reversed(started):
                process.stop()


class Process(subprocess.Popen):
    """A program that gets the signal `end` when the thread that started it ends, even if that is killed."""

    def __init__(self, arguments, user=None, end=signal.SIGTERM, **options):
        identity = [f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
        super().__init__(["setpriv", "--pdeathsig", end.name.removeprefix("SIG"), *identity, *arguments], **options)
        self.end = end
        started.append(self)

    def stop(self):
        """Returns the exit code, which is negative if the program had to be killed."""
        self.send_signal(self.end)
        try:
            return self.wait(timeout=END_LIMIT)
        except subprocess.TimeoutExpired:
            print(f"killed, because it did not end within {END_LIMIT} s: {self.args}", file=sys.stderr)
            self.kill()
            return self.wait()


class Postgres:
    """A server of PostgreSQL that trusts everyone on loopback; a replica if it has a `primary`."""

    def __init__(self, folder, name="postgres", primary=None, **settings):
        self.port, data = free_port(), folder / name
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/postgres"
        if primary:
            create = [POSTGRES / "pg_basebackup", "-d", primary.url, "-R", "-c", "fast", "--no-sync", "-D", data]
        else:
            create = [POSTGRES / "initdb", "-U", "postgres", "-A", "trust", "--locale=C.UTF-8", "-E", "UTF8",
                      "--no-sync", "-D", data]
        if Process(create, "postgres", stdout=subprocess.DEVNULL, cwd=folder).wait():
            sys.exit(f"{create[0].name} failed")
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": 300, **settings}
        server = [POSTGRES / "postgres", "-D", data, "-p", str(self.port)]
        server += [f"--{name}={value}" for name, value in settings.items()]
        # SIGTERM would wait for the clients.
        self.process = Process(server, "postgres", signal.SIGINT, stderr=subprocess.DEVNULL, cwd=folder)
        ready = [POSTGRES / "pg_isready", "-q", "-d", self.url]
        wait_until(lambda: subprocess.run(ready).returncode == 0, "PostgreSQL")


def sql(url, *statements):
    """The rows of the statements, each of which is a transaction, with `|` between the columns."""
    commands = [word for statement in statements for word in ("-c", statement)]
    psql = [POSTGRES / "psql", "-XqAt", url, *commands]
    return subprocess.run(psql, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()


def migrate(program, url, folder):
    """Applies all migrations of a build of acclaim. Returns what it prints."""
    return subprocess.run([program, "migrate", "up"], env={"DATABASE_URL": url}, cwd=folder, check=True,
                          stdout=subprocess.PIPE, text=True).stdout


class Acclaim:
    """A server of acclaim without limits of rates, on the same port after a restart."""

    def __init__(self, folder, program, database_url, **settings):
        self.folder, self.port = folder, free_port()
        self.log = folder / f"acclaim-{self.port}.log"
        limits = ["REQUESTS", "WRITES", "SIGN_UP", "SIGN_IN", "SIGN_IN_ACCOUNT"]
        self.settings = {
            "DATABASE_URL": database_url, "PORT": str(self.port), "RUST_LOG": "warn",
            "JWT_SECRET": "a secret of this try of enough bytes",
            **{f"RATE_LIMIT_{name}": "off" for name in limits}, **settings,
        }
        self.start(program)

    def start(self, program):
        with open(self.log, "a") as log:
            self.process = Process([program, "serve"], env=self.settings, cwd=self.folder, stderr=log)
        ready = f"http://127.0.0.1:{self.port}/health/ready"
        wait_until(lambda: answers(ready), "acclaim", self.log)

    def restart(self, program):
        if self.process.stop():
            sys.exit("a server did not stop cleanly")
        self.start(program)


class Client:
    """A connection on loopback, with TLS if there is a context. It opens again after an error."""

    def __init__(self, port, context=None):
        if context:
            self.connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=context)
        else:
            self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def call(self, method, path, token=None, body=None, headers=None):
        """Status, headers and body of the response."""
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            headers["Content-Type"], body = "application/json", json.dumps(body)
        try:
            self.connection.request(method, path, body, headers)
            response = self.connection.getresponse()
            return response.status, response.headers, response.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            raise

    def ask(self, method, path, *arguments, **options):
        """The value and the headers of a response that must be a success."""
        status, headers, text = self.call(method, path, *arguments, **options)
        if status not in (200, 201):
            sys.exit(f"{method} {path}: {status} {text[:300]}")
        return json.loads(text), headers


def sign_up(client, name):
    """The id and an access token of a new user."""
    sign_in = {"username": name, "password": "a horse of this try"}
    user, _ = client.ask("POST", "/users", body={**sign_in, "email": f"{name}@example.com"})
    return user["id"], client.ask("POST", "/login", body=sign_in)[0]["access_token"]
