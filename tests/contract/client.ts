// Signs up, posts and votes with a client whose types openapi-typescript generated from the document.
import createClient from "openapi-fetch";
import type { paths } from "./api.js";

const [, , baseUrl] = process.argv;
const client = createClient<paths>({ baseUrl });

const credentials = { username: "ada", password: "correct horse" };
const { data: user, error: refused } = await client.POST("/users", {
  body: { email: "ada@example.com", ...credentials },
});
if (!user) throw new Error(refused.detail);

const again = await client.POST("/users", { body: { email: "ada@example.com", ...credentials } });
if (again.error?.status !== 409 || again.error.type !== "/problems/conflict") {
  throw new Error("a taken address was not refused");
}

const { data: grant } = await client.POST("/login", {
  body: credentials,
  headers: { "Content-Type": "application/x-www-form-urlencoded" },
});
client.use({
  onRequest({ request }) {
    request.headers.set("Authorization", `Bearer ${grant?.access_token}`);
  },
});

const { data: post } = await client.POST("/posts", {
  body: { title: "Notes on the Analytical Engine", content: "It weaves algebraic patterns." },
});
if (!post || post.owner.username !== "ada") throw new Error("no post");

const { error } = await client.POST("/vote", { body: { post_id: post.id, dir: 1 } });
if (error) throw new Error(error.detail);

const { data: posts } = await client.GET("/posts", {
  params: { query: { search: "engine", sort: "new", owner_id: user.id } },
});
console.log(`${posts?.[0]?.votes} vote`);
