// Schemas of requests and responses. fastify compiles them to code that validates and serialises.
const id = { type: 'integer' };

export const post = {
  type: 'object',
  properties: {
    id,
    title: { type: 'string' },
    content: { type: 'string' },
    published: { type: 'boolean' },
    tags: { type: 'array', items: { type: 'string' } },
    created_at: { type: 'string' },
    updated_at: { type: 'string' },
    version: { type: 'integer' },
    owner_id: id,
    owner: { type: 'object', properties: { id, username: { type: 'string' } } },
    votes: { type: 'integer' },
    voted: { type: 'boolean' },
  },
};

export const getPost = {
  params: { type: 'object', properties: { id }, required: ['id'] },
  response: { 200: post },
};

export const getPosts = {
  querystring: {
    type: 'object',
    properties: {
      limit: { type: 'integer', minimum: 1, maximum: 100, default: 10 },
      before: id,
      search: { type: 'string' },
    },
  },
  response: { 200: { type: 'array', items: post } },
};

export const createPost = {
  body: {
    type: 'object',
    properties: {
      title: { type: 'string', minLength: 1, maxLength: 300 },
      content: { type: 'string', minLength: 1, maxLength: 40000 },
      published: { type: 'boolean', default: true },
      tags: { type: 'array', items: { type: 'string' }, maxItems: 10, default: [] },
    },
    required: ['title', 'content'],
  },
  response: { 201: post },
};

export const vote = {
  body: {
    type: 'object',
    properties: { post_id: id, dir: { type: 'integer', enum: [0, 1] } },
    required: ['post_id', 'dir'],
  },
  response: {
    201: {
      type: 'object',
      properties: { message: { type: 'string' }, post_id: id, votes: { type: 'integer' } },
    },
  },
};

export const login = {
  body: {
    type: 'object',
    properties: { username: { type: 'string' }, password: { type: 'string' } },
    required: ['username', 'password'],
  },
  response: {
    200: {
      type: 'object',
      properties: { access_token: { type: 'string' }, token_type: { type: 'string' } },
    },
  },
};
