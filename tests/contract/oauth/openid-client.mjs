// Uses the service as an authorization server (OAuth 2.0) with openid-client.
import assert from "node:assert/strict";
import * as oauth from "openid-client";

const base = process.argv[2];
const ada = { username: "ada", password: "correct horse" };
const server = await oauth.discovery(new URL(base), "any", undefined, oauth.None(), {
  algorithm: "oauth2",
  // The server is on this machine.
  execute: [oauth.allowInsecureRequests],
});
const signIn = (more) => oauth.genericGrantRequest(server, "password", { ...ada, ...more });
const call = (token, path, method = "GET", body = undefined) => {
  const headers = new Headers(body && { "Content-Type": "application/json" });
  return oauth.fetchProtectedResource(server, token, new URL(path, base), method, body, headers);
};

const tokens = await signIn({});
const me = await call(tokens.access_token, "/users/me");
assert.equal((await me.json()).username, "ada");

const refreshed = await oauth.refreshTokenGrant(server, tokens.refresh_token);
assert.notEqual(refreshed.refresh_token, tokens.refresh_token);
const narrow = await oauth.refreshTokenGrant(server, refreshed.refresh_token, { scope: "posts:read" });
assert.equal(narrow.scope, "posts:read");
const post = JSON.stringify({ title: "Notes", content: "None" });
// A 403 has a challenge, which the library throws.
await assert.rejects(call(narrow.access_token, "/posts", "POST", post), (error) => {
  assert.ok(error instanceof oauth.WWWAuthenticateChallengeError, error);
  assert.equal(error.cause[0].parameters.error, "insufficient_scope");
  return true;
});
const reader = await signIn({ scope: "posts:read" });
assert.equal(reader.scope, "posts:read");

const fails = (code, request) =>
  assert.rejects(request, (error) => {
    assert.ok(error instanceof oauth.ResponseBodyError, error);
    assert.deepEqual([error.error, error.status], [code, 400]);
    assert.ok(error.error_description);
    return true;
  });
await fails("invalid_grant", signIn({ password: "wrong horse" }));
await fails("invalid_scope", signIn({ scope: "posts:eat" }));
await fails("unsupported_grant_type", oauth.clientCredentialsGrant(server));

await oauth.tokenRevocation(server, narrow.refresh_token);
await assert.rejects(call(narrow.access_token, "/users/me"), oauth.WWWAuthenticateChallengeError);
await fails("invalid_grant", oauth.refreshTokenGrant(server, narrow.refresh_token));
console.log("ok");
