-- $1 reader, $2 post
DELETE FROM votes WHERE post_id = $2 AND user_id = $1
