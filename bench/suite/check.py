"""Checks before the measurement that all contenders return the same response to the same request."""

from psycopg import RawCursor
from psycopg.rows import dict_row

from .contenders import CONTENT, TITLE, Contender
from .http import Client, Request
from .postgres import Cluster
from .rows import NEWEST, RARE, Rows
from .work import text_of

MEMBERS = ("id", "title", "content", "published", "owner_id", "votes")


class Different(Exception):
    """The responses of two contenders differ."""


def plain(post: dict) -> dict:
    """The members of a post that all contenders return, and the name of the owner, if present."""
    fields = {member: post[member] for member in MEMBERS}
    fields["published"] = bool(fields["published"])
    username = post.get("owner_username") or (post.get("owner") or {}).get("username")
    # Datasette has no join. Its responses do not contain the name of the owner.
    fields["owner"] = username or f"user{post['owner_id']}"
    return fields


def reads(contender: Contender) -> dict:
    """The answers to the reads for the first reader."""
    token = contender.tokens[0]
    newest = contender.rows.posts
    with Client(contender.port) as client:
        def get(request: Request):
            return client.expect(200, request, token)

        def page(request: Request) -> list[dict]:
            return [plain(post) for post in contender.posts_of(get(request))]

        seen = {f"post {post}": plain(contender.post_of(get(contender.single().of(post))))
                for post in (1, 37, newest // 2, newest)}
        seen["first page"] = page(contender.first_page())
        seen["deep page"] = page(contender.deep_page())
        seen["search"] = page(contender.search())
        for request in (contender.single().of(1), contender.first_page()):
            refused = client.send(request, "no.token.atall").status
            if refused not in (401, 403):
                raise Different(f"{contender.label} answers {request.path} without a token")
    return seen


def writes(contender: Contender) -> dict:
    """The effect of new posts and votes, read afterwards."""
    token = contender.tokens[1]
    seen = {}
    post = contender.rows.posts - NEWEST - 500
    with Client(contender.port) as client:
        def votes() -> int:
            answer = client.expect(200, contender.single().of(post), token)
            return plain(contender.post_of(answer))["votes"]

        before = votes()
        client.expect(201, contender.vote(2, True).of(post), token)
        seen["a vote"] = votes() - before
        again = client.send(contender.vote(2, True).of(post), token)
        seen["a second vote is refused"] = again.status in (400, 409)
        removed = client.send(contender.vote(2, False).of(post), token)
        seen["a vote taken back"] = (removed.status in (200, 201), votes() - before)
        client.expect(201, contender.new_post(2), token)
        page = client.expect(200, contender.first_page(), token)
        newest = plain(contender.posts_of(page)[0])
        seen["new post"] = newest
        if "sign_in" not in contender.cannot:
            wrong = client.send(contender.login(1, "not the password"))
            seen["a wrong password is refused"] = wrong.status in (401, 403)
    return seen


def expected(rows: Rows) -> dict:
    """The expected answers, computed from the rows."""
    return {
        "a vote": 1,
        "a second vote is refused": True,
        "a vote taken back": (True, 0),
        "new post": {"id": rows.posts + 1, "title": TITLE, "content": CONTENT, "published": True,
                     "owner_id": 2, "votes": 0, "owner": "user2"},
        "a wrong password is refused": True,
    }


def statements(cluster: Cluster, database: str, rows: Rows, depth: int) -> dict:
    """The answers of pgbench's statements."""
    newest = rows.posts
    with cluster.connect(database) as connection:
        # The raw cursor of psycopg accepts $1 and $2, the parameters in the files.
        cursor = RawCursor(connection, row_factory=dict_row)

        def run(name: str, *values) -> list[dict]:
            found = cursor.execute(text_of(name), values).fetchall()
            return [plain(row) for row in found[:10]]

        seen = {f"post {post}": run("post", 1, post)[0]
                for post in (1, 37, newest // 2, newest)}
        seen["first page"] = run("first_page", 1)
        seen["deep page"] = run("deep_page", 1, newest - depth + 1)
        seen["search"] = run("search", 1, RARE)
    return seen


def compare(label: str, one: dict, other: dict) -> None:
    """Fails if `other` differs from `one`."""
    for name, value in other.items():
        if name in one and one[name] != value:
            raise Different(f"{label}: {name} is\n{value}\nand not\n{one[name]}")
