// The routes.
import jwt from '@fastify/jwt';
import { verify } from '@node-rs/argon2';
import fastify from 'fastify';

import { pool, query } from './database.js';
import * as schemas from './schemas.js';

const app = fastify();
app.register(jwt, { secret: process.env.JWT_SECRET, sign: { expiresIn: '60m' } });

const signedIn = async (request) => {
  await request.jwtVerify();
};

function out({ owner_username: username, tags, ...post }) {
  return { ...post, tags: tags ? tags.split(' ') : [], owner: { id: post.owner_id, username } };
}

// `rows` has one post more than the page if there is a next page.
function page(reply, rows, { limit, search }) {
  if (rows.length > limit) {
    const next = new URLSearchParams({ limit, before: rows[limit - 1].id, ...(search && { search }) });
    reply.header('link', `</posts?${next}>; rel="next"`);
  }
  return rows.slice(0, limit).map(out);
}

app.get('/health', async () => ({ status: 'ok' }));

app.post('/login', { schema: schemas.login }, async (request, reply) => {
  const { username, password } = request.body;
  const { rows } = await pool.query({
    name: 'login',
    text: 'SELECT id, username, password_hash FROM users WHERE username = $1',
    values: [username],
  });
  if (rows.length === 0 || !(await verify(rows[0].password_hash, password))) {
    return reply.code(401).send({ message: 'wrong username or password' });
  }
  const access_token = app.jwt.sign({ sub: String(rows[0].id), username: rows[0].username });
  return { access_token, token_type: 'bearer' };
});

app.register(async (posts) => {
  posts.addHook('onRequest', signedIn);

  posts.get('/posts', { schema: schemas.getPosts }, async (request, reply) => {
    const { limit, before, search } = request.query;
    const reader = request.user.sub;
    let found;
    if (search) found = await query('search', [reader, search], limit);
    else if (before) found = await query('deep_page', [reader, before], limit);
    else found = await query('first_page', [reader], limit);
    return page(reply, found.rows, request.query);
  });

  posts.get('/posts/:id', { schema: schemas.getPost }, async (request, reply) => {
    const { rows } = await query('post', [request.user.sub, request.params.id]);
    if (rows.length === 0) return reply.code(404).send({ message: 'no such post' });
    return out(rows[0]);
  });

  posts.post('/posts', { schema: schemas.createPost }, async (request, reply) => {
    const { title, content, published, tags } = request.body;
    const values = [request.user.sub, title, content, published, tags.join(' ')];
    const { rows } = await query('new_post', values);
    const owner_username = request.user.username;
    return reply.code(201).send(out({ ...rows[0], owner_username, voted: false }));
  });

  posts.post('/vote', { schema: schemas.vote }, async (request, reply) => {
    const { post_id, dir } = request.body;
    const values = [request.user.sub, post_id];
    const { rowCount } = await query(dir === 1 ? 'vote_add' : 'vote_remove', values);
    // Counts the votes after the commit, so that simultaneous votes of others are included.
    const { rows } = await query('votes', values);
    const votes = rows[0]?.votes;
    if (votes === undefined) return reply.code(404).send({ message: 'no such post' });
    if (rowCount === 0) return reply.code(409).send({ message: 'nothing to do' });
    return reply.code(201).send({ message: dir === 1 ? 'vote added' : 'vote taken back', post_id, votes });
  });
});

await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) });
