-- The schema that an engineer would write to serve posts and votes with Datasette.
PRAGMA journal_mode = WAL;

CREATE TABLE users (
    id integer PRIMARY KEY,
    username text NOT NULL UNIQUE
);

CREATE TABLE posts (
    id integer PRIMARY KEY,
    owner_id integer NOT NULL REFERENCES users (id),
    title text NOT NULL,
    content text NOT NULL,
    published integer NOT NULL DEFAULT 1,
    votes integer NOT NULL DEFAULT 0,
    created_at text NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
    updated_at text NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ'))
);
CREATE INDEX posts_owner_id ON posts (owner_id);

CREATE TABLE votes (
    post_id integer NOT NULL REFERENCES posts (id),
    user_id integer NOT NULL REFERENCES users (id),
    created_at text NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
    PRIMARY KEY (post_id, user_id)
);
CREATE INDEX votes_user_id ON votes (user_id);
CREATE TRIGGER votes_insert AFTER INSERT ON votes BEGIN
    UPDATE posts SET votes = votes + 1 WHERE id = NEW.post_id;
END;
CREATE TRIGGER votes_delete AFTER DELETE ON votes BEGIN
    UPDATE posts SET votes = votes - 1 WHERE id = OLD.post_id;
END;

-- Datasette recognises this table by the `content` option and uses it for search.
CREATE VIRTUAL TABLE posts_fts USING fts5 (title, content, content="posts", content_rowid="id");
CREATE TRIGGER posts_insert AFTER INSERT ON posts BEGIN
    INSERT INTO posts_fts (rowid, title, content) VALUES (NEW.id, NEW.title, NEW.content);
END;
CREATE TRIGGER posts_delete AFTER DELETE ON posts BEGIN
    INSERT INTO posts_fts (posts_fts, rowid, title, content)
    VALUES ('delete', OLD.id, OLD.title, OLD.content);
END;
CREATE TRIGGER posts_update AFTER UPDATE OF title, content ON posts BEGIN
    INSERT INTO posts_fts (posts_fts, rowid, title, content)
    VALUES ('delete', OLD.id, OLD.title, OLD.content);
    INSERT INTO posts_fts (rowid, title, content) VALUES (NEW.id, NEW.title, NEW.content);
END;
