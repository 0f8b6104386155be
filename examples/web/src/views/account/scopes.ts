import type { Scope } from '../../calls/account';

interface Example {
  meaning: string;
  /** The arguments of curl for a request that needs only this scope. `ID` stands for the id of a post. */
  curl: string;
}

const at = (path: string) => `'${ACCLAIM_URL}${path}'`;
const json = (body: object) => ` \\\n  -H 'Content-Type: application/json' \\\n  -d '${JSON.stringify(body)}'`;

/** The compiler refuses a table that lacks a scope of the service or has another one. */
export const SCOPES: Record<Scope, Example> = {
  'posts:read': { meaning: 'Read posts and users', curl: at('/posts?limit=3') },
  'posts:create': {
    meaning: 'Write new posts',
    curl: at('/posts') + json({ title: 'Hello from a script', content: 'Sent with a personal access token.' }),
  },
  'posts:update': { meaning: 'Change own posts', curl: `-X PATCH ${at('/posts/ID')}${json({ title: 'A better title' })}` },
  'posts:delete': { meaning: 'Delete own posts', curl: `-X DELETE ${at('/posts/ID')}` },
  'votes:write': { meaning: 'Vote and take votes back', curl: `-X PUT ${at('/posts/ID/vote')}` },
  'events:read': { meaning: 'Follow what happens', curl: at('/events?after=0') },
  account: { meaning: 'See and change the account, its sessions and tokens', curl: at('/users/me') },
  introspect: { meaning: 'Introspect tokens, for services', curl: `${at('/introspect')} -d token=$TOKEN` },
};

/** Commands for a shell that use `token` with the first of its scopes. */
export function curlExample(token: string, scopes: string[]): string {
  const [, example] = Object.entries(SCOPES).find(([scope]) => scopes.includes(scope)) ?? [];
  return `TOKEN=${token}\ncurl -H "Authorization: Bearer $TOKEN" \\\n  ${example?.curl}`;
}
