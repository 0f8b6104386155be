"""Loads the same rows for all contenders, each into its own tables."""

import os
import sqlite3
import subprocess
from pathlib import Path

from .machine import BENCH, VENV
from .postgres import Cluster
from .rows import Rows

USERS = "users (id, email, username, password_hash, created_at, updated_at)"
POSTS = "posts (id, owner_id, title, content, published, created_at, updated_at, votes)"
VOTES = "votes (post_id, user_id, created_at)"


def _users(rows: Rows):
    return (user + user[-1:] for user in rows.each_user())


def _posts(rows: Rows, published):
    return ((*post[:4], published, post[4], post[4], rows.votes_of[post[0]])
            for post in rows.each_post())


def migrate(binary: Path, url: str) -> None:
    """Creates the service's tables with its own command."""
    subprocess.run([binary, "migrate", "up"], env={**os.environ, "DATABASE_URL": url},
                   cwd=BENCH / "sql", check=True, stdout=subprocess.DEVNULL)


def acclaim_postgres(cluster: Cluster, database: str, binary: Path, rows: Rows) -> None:
    """Loads the service's schema with all triggers active except the one that counts votes. fastify and
    pgbench use it too."""
    cluster.create(database)
    migrate(binary, cluster.url(database))
    tables = ((USERS, _users(rows)), (POSTS, _posts(rows, True)), (VOTES, rows.each_vote()))
    _copy(cluster, database, tables)


def course_postgres(cluster: Cluster, database: str, rows: Rows) -> None:
    """The tables of the course's stack."""
    cluster.create(database)
    subprocess.run([VENV / "python", "-m", "course.tables"], cwd=BENCH, check=True,
                   env={**os.environ, "DATABASE_URL": cluster.url(database)})
    tables = (
        ("users (id, email, username, password, created_at)", rows.each_user()),
        ("posts (id, owner_id, title, content, published, created_at)",
         ((*post[:4], True, post[4]) for post in rows.each_post())),
        ("votes (post_id, user_id)", (vote[:2] for vote in rows.each_vote())),
    )
    _copy(cluster, database, tables)


def _copy(cluster: Cluster, database: str, tables) -> None:
    with cluster.connect(database) as connection, connection.cursor() as cursor:
        for table, rows in tables:
            # The posts already contain their vote counts.
            role = "replica" if table.startswith("votes") else "origin"
            connection.execute(f"SET session_replication_role = {role}")
            with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        for table in ("users", "posts"):
            connection.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}")
        connection.execute("VACUUM ANALYZE")


def acclaim_sqlite(file: Path, binary: Path, rows: Rows) -> None:
    """Loads the service's schema into `file` with all triggers active except those of votes."""
    migrate(binary, f"sqlite://{file}")
    tables = ((USERS, _users(rows)), (POSTS, _posts(rows, 1)), (VOTES, rows.each_vote()))
    _insert(file, tables)


def datasette(file: Path, rows: Rows) -> None:
    """Tables for Datasette in `file`, with the same indexes, triggers and full-text search."""
    connection = sqlite3.connect(file)
    connection.executescript((BENCH / "datasette" / "schema.sql").read_text())
    connection.close()
    tables = (
        ("users (id, username)", ((user[0], user[2]) for user in rows.each_user())),
        (POSTS, _posts(rows, 1)),
        (VOTES, rows.each_vote()),
    )
    _insert(file, tables)


def _insert(file: Path, tables) -> None:
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA journal_mode = WAL")
    with connection:
        # The posts already contain their vote counts.
        triggers = connection.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'votes'"
        ).fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for table, rows in tables:
            marks = ",".join("?" * (table.count(",") + 1))
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        for _, text in triggers:
            connection.execute(text)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
