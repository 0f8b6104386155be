-- $1 reader, $2 title, $3 content, $4 published, $5 tags
INSERT INTO posts (owner_id, title, content, published, tags, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, now(), now())
RETURNING id, owner_id, title, content, published, tags, votes, created_at, updated_at, version
