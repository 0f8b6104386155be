-- $1 reader, $2 word
WITH near AS MATERIALIZED (
    SELECT id
    FROM (
        SELECT id, search
        FROM posts
        WHERE (published OR owner_id = $1)
            AND owner_id NOT IN (SELECT id FROM users WHERE suspended_at IS NOT NULL)
        ORDER BY id DESC
        LIMIT 2000
    ) AS post
    WHERE search @@ (SELECT CAST('''' || $2 || ''':*' AS tsquery))
    ORDER BY id DESC
    LIMIT 11
),
hits AS MATERIALIZED (
    SELECT id FROM near WHERE NOT (SELECT count(*) FROM near) < 11
    UNION ALL
    SELECT id
    FROM (
        SELECT id
        FROM (
            SELECT id
            FROM posts
            WHERE (published OR owner_id = $1)
                AND owner_id NOT IN (SELECT id FROM users WHERE suspended_at IS NOT NULL)
                AND (SELECT count(*) FROM near) < 11
                AND search @@ (SELECT CAST('''' || $2 || ''':*' AS tsquery))
            OFFSET 0
        ) AS post
        ORDER BY id DESC
        LIMIT 11
    ) AS far
)
SELECT p.id, p.title, p.content, p.published, p.tags, p.created_at, p.updated_at, p.version,
    p.owner_id, p.votes, u.username AS owner_username,
    (SELECT v.user_id FROM votes v WHERE v.post_id = p.id AND v.user_id = $1) IS NOT NULL AS voted
FROM posts p
JOIN users u ON u.id = p.owner_id
WHERE (p.published OR p.owner_id = $1)
    AND u.suspended_at IS NULL
    AND p.id IN (SELECT id FROM hits)
ORDER BY p.id DESC
LIMIT 11
