// Calls about other users, and those for staff.
import { bodyOf, client, type Schemas } from '../client';
import type { Page } from './posts';

export type User = Schemas['User'];
export type Account = Schemas['Account'];
export type AuditEntry = Schemas['AuditEntry'];

const PAGE_SIZE = 20;

export function getUser(id: number, signal: AbortSignal): Promise<User> {
  return bodyOf(client.GET('/users/{id}', { params: { path: { id } }, signal }));
}

export function listUsers(query: URLSearchParams, signal: AbortSignal): Promise<Page<Account>> {
  return pageFrom(query, (limit, skip) => bodyOf(client.GET('/users', { params: { query: { limit, skip } }, signal })));
}

export function listAuditLog(query: URLSearchParams, signal: AbortSignal): Promise<Page<AuditEntry>> {
  return pageFrom(query, (limit, skip) => bodyOf(client.GET('/audit-log', { params: { query: { limit, skip } }, signal })));
}

export function suspendUser(id: number, reason: string): Promise<Account> {
  return bodyOf(client.PUT('/users/{id}/suspension', { params: { path: { id } }, body: { reason } }));
}

export function restoreUser(id: number, reason: string): Promise<Account> {
  return bodyOf(client.DELETE('/users/{id}/suspension', { params: { path: { id }, query: { reason } } }));
}

/** Deletes a post of another user. */
export async function deletePostOfUser(id: number, reason: string): Promise<void> {
  await bodyOf(client.DELETE('/posts/{id}', { params: { path: { id }, query: { reason } } }));
}

/** A page of a list with `skip` in the URL, which takes the place of a cursor. */
async function pageFrom<T>(query: URLSearchParams, read: (limit: number, skip: number) => Promise<T[]>): Promise<Page<T>> {
  const skip = Number(query.get('skip'));
  // One item more than a page has tells whether there is a next page.
  const items = await read(PAGE_SIZE + 1, skip);
  return {
    items: items.slice(0, PAGE_SIZE),
    next: items.length > PAGE_SIZE ? String(skip + PAGE_SIZE) : undefined,
    previous: skip > 0 ? String(Math.max(0, skip - PAGE_SIZE)) : undefined,
  };
}
