import type { operations } from '../api';
import { answerOf, bodyOf, client, type Schemas } from '../client';
import { linked } from './links';

export type Post = Schemas['Post'];
export type PostCreate = Schemas['PostCreate'];
export type PostUpdate = Schemas['PostUpdate'];
export type PostQuery = NonNullable<operations['listPosts']['parameters']['query']>;

/** A page of a list, with the cursors of its neighbours. */
export interface Page<T> {
  items: T[];
  next: string | undefined;
  previous: string | undefined;
}

export async function listPosts(query: PostQuery, signal: AbortSignal): Promise<Page<Post>> {
  const { body, headers } = await answerOf(client.GET('/posts', { params: { query }, signal }));
  return { items: body, next: linked(headers, 'next', 'cursor'), previous: linked(headers, 'prev', 'cursor') };
}

export function getPost(id: number, signal: AbortSignal): Promise<Post> {
  return bodyOf(client.GET('/posts/{id}', { params: { path: { id } }, signal }));
}

export function createPost(body: PostCreate): Promise<Post> {
  return bodyOf(client.POST('/posts', { body }));
}

/** Changes the members of `body` and leaves the others as they are. */
export function updatePost(id: number, body: PostUpdate): Promise<Post> {
  return bodyOf(client.PATCH('/posts/{id}', { params: { path: { id } }, body }));
}

/** `keepalive` lets the request outlive the page. */
export async function deletePost(id: number, { keepalive = false } = {}): Promise<void> {
  await bodyOf(client.DELETE('/posts/{id}', { params: { path: { id } }, keepalive }));
}

/** Idempotent, unlike POST /vote: a vote cast in another tab is not an error. */
export function setVote(id: number, voted: boolean): Promise<Schemas['VoteState']> {
  const options = { params: { path: { id } } };
  return bodyOf(voted ? client.PUT('/posts/{id}/vote', options) : client.DELETE('/posts/{id}/vote', options));
}
