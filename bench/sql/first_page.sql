-- $1 reader
SELECT p.id, p.title, p.content, p.published, p.created_at, p.updated_at, p.owner_id, p.votes,
    u.username AS owner_username,
    EXISTS (SELECT 1 FROM votes v WHERE v.post_id = p.id AND v.user_id = $1) AS voted
FROM posts p
JOIN users u ON u.id = p.owner_id
WHERE (p.published OR p.owner_id = $1)
    AND p.owner_id NOT IN (SELECT id FROM users WHERE suspended_at IS NOT NULL)
ORDER BY p.id DESC
LIMIT 10
