-- $1 reader, $2 title, $3 content, $4 published
INSERT INTO posts (owner_id, title, content, published, created_at, updated_at)
VALUES ($1, $2, $3, $4, now(), now())
RETURNING id, owner_id, title, content, published, votes, created_at, updated_at
