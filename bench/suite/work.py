"""The works: as requests of a contender, or as statements for pgbench."""

from pathlib import Path

from .contenders import CONTENT, TITLE, Contender
from .generators import CONNECTIONS
from .machine import BENCH
from .rows import NEWEST, RARE, READERS, Rows, uncommon

# In the order of measurement: reads come before writes.
WORKS = {
    "single": "one post",
    "first_page": "first page",
    "first_page_many": f"first page, {READERS} readers",
    "deep_page": "page at depth 99,000",
    "search": "search, 1 % match",
    "search_words": f"search, {READERS} words",
    "search_best": "search, best first",
    "new_post": "new post",
    "vote": "votes, spread",
    "vote_hot": "votes, all on one post",
    "mixed": "90 reads : 8 votes : 2 posts",
    # Last, because some contenders do not give its memory back.
    "sign_in": "sign-in",
}


class Requests:
    """The works as requests of one contender. Never repeats a write."""

    def __init__(self, contender: Contender):
        self.contender = contender
        self.votes = 0
        self.posts = contender.rows.posts
        self.hot = 0

    def _formats(self, request_of, tokens: int) -> list[str]:
        given = self.contender.tokens[:tokens]
        return [request_of(reader).template(token) for reader, token in enumerate(given, 1)]

    def _vote(self, share: int = 0) -> dict:
        formats = self._formats(lambda reader: self.contender.vote(reader, True), READERS)
        # The readers' existing votes are among the newest posts; the posts of `vote_hot` are older.
        return {"kind": "vote", "formats": formats, "posts": self.posts - 2 * NEWEST,
                "start": self.votes, "share": share}

    def _read(self, request, tokens: int, share: int = 0) -> dict:
        return {"kind": "read", "formats": self._formats(lambda _: request, tokens),
                "posts": self.posts, "start": 0, "share": share}

    def of(self, work: str) -> dict:
        """The input of `load/work.lua` for `work`, continuing after the last request."""
        contender = self.contender
        match work:
            case "single":
                return self._read(contender.single(), READERS)
            case "first_page":
                return self._read(contender.first_page(), 1)
            case "first_page_many":
                return self._read(contender.first_page(), READERS)
            case "deep_page":
                return self._read(contender.deep_page(), READERS)
            case "search":
                return self._read(contender.search(), READERS)
            case "search_words":
                words = uncommon(READERS)
                return {"kind": "read", "posts": self.posts, "start": 0,
                        "formats": self._formats(
                            lambda reader: contender.search(words[reader - 1]), READERS)}
            case "search_best":
                return self._read(contender.search_best(), READERS)
            case "new_post":
                return {"kind": "read", "formats": self._formats(contender.new_post, READERS),
                        "posts": self.posts, "start": 0}
            case "vote":
                return self._vote()
            case "vote_hot":
                # A different post each time, because the votes of the last one are not known exactly.
                self.hot += 1
                return {"kind": "toggle", "start": 0, "post": self.posts - NEWEST - self.hot,
                        "formats": self._formats(
                            lambda reader: contender.vote(reader, True), CONNECTIONS),
                        "removals": self._formats(
                            lambda reader: contender.vote(reader, False), CONNECTIONS)}
            case "sign_in":
                readers = range(1, READERS + 1)
                return {"kind": "read", "posts": 1, "start": 0,
                        "formats": [contender.login(reader).template() for reader in readers]}
            case "mixed":
                new = {"kind": "read", "formats": self._formats(contender.new_post, READERS),
                       "posts": self.posts, "start": 0, "share": 1}
                return {"start": 0, "parts": [
                    self._read(contender.single(), READERS, share=30),
                    self._read(contender.first_page(), READERS, share=15),
                    self._vote(share=4), new]}
        raise KeyError(work)

    def sent(self, work: str, requests: int) -> None:
        """Records that `requests` of `work` were answered. More may have been sent."""
        if work == "vote":
            self.votes += requests + 2 * CONNECTIONS
        if work == "mixed":
            self.votes += requests * 4 // 50 + 2 * CONNECTIONS


def scripts(folder: Path, rows: Rows, depth: int) -> dict[str, list[tuple[Path, int]]]:
    """The works as scripts for pgbench, written into `folder`, with their shares."""
    reader = f"\\set reader random(1, {READERS})\n"
    voter = f"\\set reader random({READERS + 1}, {rows.users})\n"
    post = f"\\set post random(1, {rows.posts})\n"
    numbers = {
        "single": reader + post + _statement("post", "reader", "post"),
        "first_page": "\\set reader 1\n" + _statement("first_page", "reader"),
        "first_page_many": reader + _statement("first_page", "reader"),
        "deep_page": reader + f"\\set before {rows.posts - depth + 1}\n"
        + _statement("deep_page", "reader", "before"),
        "search": reader + _statement("search", "reader", f"'{RARE}'"),
        "new_post": reader
        + _statement("new_post", "reader", f"'{TITLE}'", f"'{CONTENT}'", "true", "''"),
        "vote": voter + post + _vote("vote_add"),
        # Each client is a user that votes for the post and takes the vote back in turn.
        "vote_hot": f"\\set reader :client_id + 1\n\\set post {rows.posts - NEWEST}\n"
        "\\set adds 1 - :adds\n\\if :adds\n" + _vote("vote_add")
        + "\\else\n" + _vote("vote_remove") + "\\endif\n",
    }
    files = {}
    for name, text in numbers.items():
        files[name] = folder / f"{name}.sql"
        files[name].write_text(text)
    works = {name: [(file, 1)] for name, file in files.items()}
    works["mixed"] = [(files["single"], 30), (files["first_page_many"], 15), (files["vote"], 4),
                      (files["new_post"], 1)]
    return works


def _vote(change: str) -> str:
    # Counts the votes after the commit, so that simultaneous votes of others are included.
    return _statement(change, "reader", "post") + _statement("votes", "reader", "post")


def text_of(name: str) -> str:
    """A statement of `../sql` on one line."""
    lines = (BENCH / "sql" / f"{name}.sql").read_text().splitlines()
    return " ".join(line.strip() for line in lines if not line.startswith("--"))


def _statement(name: str, *values: str) -> str:
    """The statement with pgbench variables or literals in place of $1, $2 and so on."""
    text = text_of(name)
    for place, value in enumerate(values, 1):
        text = text.replace(f"${place}", value if value[0] == "'" or value == "true" else f":{value}")
    return text + ";\n"
