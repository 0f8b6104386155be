// Uses the service as an authorization server (OAuth 2.0) with simple-oauth2.
import assert from "node:assert/strict";
import { ClientCredentials, ResourceOwnerPassword } from "simple-oauth2";

const base = process.argv[2];
const configuration = {
  client: { id: "any", secret: "" },
  auth: { tokenHost: base, tokenPath: "/login", revokePath: "/revoke" },
};
const ada = { username: "ada", password: "correct horse" };
const client = new ResourceOwnerPassword(configuration);
const call = (token, path, init = {}) =>
  fetch(new URL(path, base), { ...init, headers: { Authorization: `Bearer ${token.token.access_token}`, ...init.headers } });

const token = await client.getToken(ada);
const me = await call(token, "/users/me");
assert.equal((await me.json()).username, "ada");

const refreshed = await token.refresh();
assert.notEqual(refreshed.token.refresh_token, token.token.refresh_token);
const narrow = await refreshed.refresh({ scope: "posts:read" });
assert.equal(narrow.token.scope, "posts:read");
const headers = { "Content-Type": "application/json" };
const body = JSON.stringify({ title: "Notes", content: "None" });
assert.equal((await call(narrow, "/posts", { method: "POST", headers, body })).status, 403);
const reader = await client.getToken({ ...ada, scope: ["posts:read"] });
assert.equal(reader.token.scope, "posts:read");

// The library throws errors of Boom, as it documents.
const fails = (code, request) =>
  assert.rejects(request, (error) => {
    assert.ok(error.isBoom, error);
    assert.equal(error.output.statusCode, 400);
    assert.equal(error.data.payload.error, code);
    return true;
  });
await fails("invalid_grant", client.getToken({ ...ada, password: "wrong horse" }));
await fails("invalid_scope", client.getToken({ ...ada, scope: "posts:eat" }));
await fails("unsupported_grant_type", new ClientCredentials(configuration).getToken({}));

await narrow.revokeAll();
assert.equal((await call(narrow, "/users/me")).status, 401);
await fails("invalid_grant", narrow.refresh());
console.log("ok");
