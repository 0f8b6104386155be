"""The contenders: how to start each, and the requests of each for the same works."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import jwt

from .http import ID, Client, Request, as_json
from .machine import BENCH, VENV, Process, answers, free_port
from .rows import PASSWORD, RARE, READERS, Rows

SECRET = "the benchmark's secret protects nothing"
TITLE = "A few words on what happened"
CONTENT = " ".join(["What happened today is told here in a few plain words."] * 7)


class Contender:
    """A server. The defaults are those of Acclaim."""

    name = ""
    label = ""
    ready = "/health"
    login_status = 200
    # Works that it does not support.
    cannot: tuple[str, ...] = ("search_words", "search_best")

    def __init__(self, folder: Path, rows: Rows):
        self.folder = folder
        self.rows = rows
        self.port = 0
        self.process: Process | None = None
        self.tokens: list[str] = []

    def command(self) -> list:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return {}

    def variables(self, database: str) -> dict[str, str]:
        """The whole environment of the process."""
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "JWT_SECRET": SECRET,
                "DATABASE_URL": database, "HOST": "127.0.0.1", "PORT": str(self.port),
                **self.environment()}

    def start(self, database: str) -> None:
        """Starts it on `database`, waits until it is ready, and signs the readers in."""
        self.port = free_port()
        self.process = Process(self.command(), self.folder / f"{self.name}.log",
                               env=self.variables(database), cwd=self.cwd())
        self.process.wait_for(lambda: answers(self.port, self.ready))
        self.tokens = self.sign_readers_in()

    def cwd(self) -> Path:
        return BENCH

    def stop(self) -> None:
        """Stops the server."""
        if self.process:
            self.process.stop()
            self.process = None

    def sign_readers_in(self) -> list[str]:
        def sign_in(reader: int) -> str:
            with Client(self.port) as client:
                answer = client.expect(self.login_status, self.login(reader))
                return answer.json()["access_token"]

        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(sign_in, range(1, READERS + 1)))

    def login(self, reader: int, password: str = PASSWORD) -> Request:
        return Request("POST", "/login", as_json(username=f"user{reader}", password=password))

    def single(self) -> Request:
        return Request("GET", f"/posts/{ID}")

    def first_page(self) -> Request:
        return Request("GET", "/posts?limit=10")

    def deep_page(self) -> Request:
        """The ten posts after the newest 99 %: after 99,000 of 100,000."""
        raise NotImplementedError

    def depth(self) -> int:
        return self.rows.posts * 99 // 100

    def search(self) -> Request:
        return Request("GET", f"/posts?search={RARE}&limit=10")

    def new_post(self, reader: int) -> Request:
        return Request("POST", "/posts", as_json(title=TITLE, content=CONTENT))

    def vote(self, reader: int, add: bool) -> Request:
        return Request("POST", "/vote", as_json(post_id=ID, dir=int(add)))

    def posts_of(self, answer) -> list[dict]:
        """The posts of a page, in Acclaim's format."""
        return answer.json()

    def post_of(self, answer) -> dict:
        """The post of an answer, in Acclaim's format."""
        return answer.json()


class Acclaim(Contender):
    """Acclaim with its limits off and all other settings at their defaults."""

    name = "acclaim"
    label = "Acclaim"
    ready = "/health/ready"
    cannot = ()

    def __init__(self, folder: Path, rows: Rows, binary: Path):
        super().__init__(folder, rows)
        self.binary = binary

    def command(self) -> list:
        return [self.binary, "serve"]

    def cwd(self) -> Path:
        # A folder without `.env`.
        return self.folder

    def environment(self) -> dict[str, str]:
        limits = ("REQUESTS", "SIGN_UP", "SIGN_IN", "SIGN_IN_ACCOUNT", "WRITES")
        return {f"RATE_LIMIT_{limit}": "off" for limit in limits}

    def search(self, word: str = RARE) -> Request:
        return Request("GET", f"/posts?search={word}&sort=new&limit=10")

    def search_best(self) -> Request:
        return Request("GET", f"/posts?search={RARE}&limit=10")

    def deep_page(self) -> Request:
        """By the cursor that follows from the pages before it."""
        limit = next(number for number in range(100, 0, -1) if self.depth() % number == 0)
        path = f"/posts?limit={limit}"
        with Client(self.port) as client:
            for _ in range(self.depth() // limit):
                page = client.expect(200, Request("GET", path), self.tokens[0])
                path = _next(page.headers.get("Link", ""))
        return Request("GET", path.replace(f"limit={limit}", "limit=10"))


def _next(link: str) -> str:
    """The target of `rel="next"` in a `Link` header."""
    for part in link.split(","):
        target, _, relation = part.partition(">")
        if 'rel="next"' in relation:
            return target.strip().removeprefix("<")
    raise RuntimeError(f"no page follows: {link}")


class Course(Contender):
    """FastAPI, SQLAlchemy, psycopg and uvicorn with two workers."""

    name = "course"
    label = "FastAPI, SQLAlchemy"

    def command(self) -> list:
        return [VENV / "uvicorn", "course.main:app", "--host", "127.0.0.1", "--port", self.port,
                "--workers", "2", "--no-access-log"]

    def login(self, reader: int, password: str = PASSWORD) -> Request:
        form = urlencode({"username": f"user{reader}@example.com", "password": password})
        return Request("POST", "/login", form, "application/x-www-form-urlencoded")

    def deep_page(self) -> Request:
        return Request("GET", f"/posts?limit=10&skip={self.depth()}")


class Fastify(Contender):
    """fastify and pg, two processes, with the statements of ../sql."""

    name = "fastify"
    label = "fastify, pg"

    def command(self) -> list:
        return ["node", BENCH / "fastify" / "cluster.js"]

    def environment(self) -> dict[str, str]:
        return {"NODE_ENV": "production"}

    def deep_page(self) -> Request:
        return Request("GET", f"/posts?limit=10&before={self.rows.posts - self.depth() + 1}")


class Datasette(Contender):
    """Datasette 1.0 alpha with its write API. It leaves out the owner's name."""

    name = "datasette"
    label = "Datasette"
    ready = "/-/versions.json"
    cannot = ("search_words", "search_best", "sign_in")

    def command(self) -> list:
        here = BENCH / "datasette"
        return [VENV / "datasette", "serve", self.database, "--host", "127.0.0.1",
                "--port", self.port, "--config", here / "datasette.yaml",
                "--plugins-dir", here / "plugins"]

    def start(self, database: str) -> None:
        self.database = database
        super().start(database)

    def sign_readers_in(self) -> list[str]:
        expires = datetime.now(UTC) + timedelta(minutes=60)
        return [jwt.encode({"sub": str(reader), "exp": expires}, SECRET, algorithm="HS256")
                for reader in range(1, READERS + 1)]

    def single(self) -> Request:
        return Request("GET", f"/bench/posts/{ID}.json")

    def first_page(self) -> Request:
        return Request("GET", "/bench/posts.json?_size=10&_sort_desc=id")

    def deep_page(self) -> Request:
        last = self.rows.posts - self.depth() + 1
        return Request("GET", f"{self.first_page().path}&_next={last}%2C{last}")

    def search(self) -> Request:
        return Request("GET", f"{self.first_page().path}&_search={RARE}")

    def new_post(self, reader: int) -> Request:
        row = {"owner_id": reader, "title": TITLE, "content": CONTENT}
        return Request("POST", "/bench/posts/-/insert", as_json(row=row))

    def vote(self, reader: int, add: bool) -> Request:
        if add:
            row = {"post_id": ID, "user_id": reader}
            return Request("POST", "/bench/votes/-/insert", as_json(row=row))
        return Request("POST", f"/bench/votes/{ID},{reader}/-/delete", "{}")

    def posts_of(self, answer) -> list[dict]:
        return answer.json()["rows"]

    def post_of(self, answer) -> dict:
        return answer.json()["rows"][0]
