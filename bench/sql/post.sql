-- $1 reader, $2 post
SELECT p.id, p.title, p.content, p.published, p.tags, p.created_at, p.updated_at, p.version,
    p.owner_id, p.votes, u.username AS owner_username,
    (SELECT v.user_id FROM votes v WHERE v.post_id = p.id AND v.user_id = $1) IS NOT NULL AS voted
FROM posts p
JOIN users u ON u.id = p.owner_id
WHERE (p.published OR p.owner_id = $1)
    AND u.suspended_at IS NULL
    AND p.id = $2
