// Uses Swagger UI at /docs like a new user: authorise with e-mail and password, create a post, vote, read
// the count. Environment: API_URL (a service with the user ada), SCREENSHOTS (a folder).
import assert from "node:assert/strict";
import { join } from "node:path";
import { launch } from "./browser.mjs";
import { keepPictures } from "./pictures.mjs";

const { API_URL, SCREENSHOTS } = process.env;
const browser = await launch();
try {
  const page = await browser.newPage({ viewport: { width: 1200, height: 1000 } });
  const otherHosts = [];
  page.on("request", (request) => {
    const { origin, protocol } = new URL(request.url());
    if (protocol !== "data:" && origin !== API_URL) otherHosts.push(request.url());
  });
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));

  await page.goto(`${API_URL}/docs`);
  assert.equal(await page.title(), "Acclaim API");
  await page.locator(".opblock-tag").first().waitFor();
  const tags = await page.locator(".opblock-tag").evaluateAll((all) => all.map((tag) => tag.dataset.tag));
  assert.deepEqual(tags, [
    ...["users", "sign-in", "posts", "votes", "events", "statistics", "webhooks"],
    ...["sessions", "tokens", "moderation", "service"],
  ]);
  await page.screenshot({ path: join(SCREENSHOTS, "swagger.png") });
  // All parts, because it depends on the fonts which of them the picture shows. The address is that of this test.
  const parts = await page.locator(".info, .scheme-container, .opblock-tag, .opblock-summary").allInnerTexts();
  const pictured = parts.join("\n").replaceAll(API_URL, "URL");

  await page.getByRole("button", { name: "Authorize" }).first().click();
  await page.locator("#oauth_username").fill("ada@example.com");
  await page.locator("#oauth_password").fill("correct horse");
  const form = page.locator(".auth-container", { has: page.locator("#oauth_username") });
  await form.getByRole("button", { name: "Apply given OAuth2 credentials" }).click();
  await page.getByRole("button", { name: "Remove authorization" }).waitFor();
  await page.locator(".close-modal").click();

  const post = await tryOut("posts", "createPost", 201, '{"title": "Note G", "content": "Bernoulli numbers"}');
  assert.equal(post.owner.username, "ada");
  const voted = await tryOut("votes", "vote", 201, JSON.stringify({ post_id: post.id, dir: 1 }));
  assert.equal(voted.votes, 1);
  const [listed] = await tryOut("posts", "listPosts", 200);
  assert.deepEqual([listed.title, listed.votes, listed.voted], ["Note G", 1, true]);
  await page.screenshot({ path: join(SCREENSHOTS, "swagger-tried.png") });

  // A ticked box limits the session to its scope.
  await page.getByRole("button", { name: "Authorize" }).first().click();
  await page.getByRole("button", { name: "Remove authorization" }).click();
  await page.locator("#oauth_username").fill("ada@example.com");
  await page.locator("#oauth_password").fill("correct horse");
  await form.locator("label", { hasText: "posts:read" }).first().click();
  const signedIn = page.waitForResponse(`${API_URL}/login`);
  await form.getByRole("button", { name: "Apply given OAuth2 credentials" }).click();
  const { scope } = await (await signedIn).json();
  assert.equal(scope, "posts:read");
  await page.getByRole("button", { name: "Remove authorization" }).waitFor();

  const stored = await page.evaluate(() => JSON.stringify([localStorage, sessionStorage]));
  assert.ok(!stored.includes("correct horse"), "the browser stores the password");
  assert.deepEqual(otherHosts, [], "requests to other hosts");
  assert.deepEqual(errors, []);
  keepPictures("swagger", pictured, SCREENSHOTS, ["swagger.png"]);
  console.log("Swagger UI: authorised, created a post, voted, read the count 1");

  // Executes the operation, with `body` if given, and returns the response that the page shows.
  async function tryOut(tag, operation, status, body) {
    const block = page.locator(`#operations-${tag}-${operation}`);
    await block.locator(".opblock-summary-control").click();
    await block.getByRole("button", { name: "Try it out" }).click();
    if (body) await block.locator("textarea.body-param__text").fill(body);
    await block.getByRole("button", { name: "Execute" }).click();
    const answer = block.locator(".live-responses-table");
    await answer.locator("tbody .response-col_status").first().waitFor();
    const shown = await answer.locator("tbody .response-col_status").first().innerText();
    assert.equal(Number.parseInt(shown, 10), status, await answer.innerText());
    await block.scrollIntoViewIfNeeded();
    return JSON.parse(await answer.locator("pre.microlight").first().innerText());
  }
} finally {
  await browser.close();
}
