-- $1 reader, $2 post
INSERT INTO votes (post_id, user_id, created_at)
SELECT p.id, $1, now()
FROM posts p
WHERE p.id = $2
    AND (p.published OR p.owner_id = $1)
    AND p.owner_id NOT IN (SELECT id FROM users WHERE suspended_at IS NOT NULL)
ON CONFLICT (post_id, user_id) DO NOTHING
