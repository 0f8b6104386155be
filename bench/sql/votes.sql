-- $1 reader, $2 post
SELECT p.votes
FROM posts p
WHERE p.id = $2
    AND (p.published OR p.owner_id = $1)
    AND p.owner_id NOT IN (SELECT id FROM users WHERE suspended_at IS NOT NULL)
