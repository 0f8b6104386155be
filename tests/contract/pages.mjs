// Opens the pages of the service: they are accessible, their policy allows their style sheet, and each is
// found from the first. Environment: API_URL (a service with FRONTEND_URL), SCREENSHOTS (a folder).
import assert from "node:assert/strict";
import { join } from "node:path";
import { assertAccessible } from "./axe.mjs";
import { launch } from "./browser.mjs";

const { API_URL, SCREENSHOTS } = process.env;
const browser = await launch();
try {
  const page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));

  await page.goto(API_URL);
  await check("front", "Acclaim API");
  await page.getByRole("main").getByRole("link", { name: "Front end" }).waitFor();
  await page.getByRole("main").getByRole("link", { name: "Problem types" }).click();
  await check("problems", "Problem types – Acclaim");
  await page.getByRole("heading", { name: "409 Conflict" }).waitFor();
  await page.getByRole("link", { name: "Already voted" }).click();
  await check("problem", "Already voted – Acclaim");
  await page.getByRole("navigation").getByRole("link", { name: "Acclaim", exact: true }).click();
  await page.waitForURL(`${API_URL}/`);
  console.log("pages: accessible, and found from the front page");

  async function check(name, title) {
    await page.waitForFunction((expected) => document.title === expected, title);
    const width = await page.locator("body").evaluate((body) => getComputedStyle(body).maxWidth);
    assert.equal(width, "672px");
    await assertAccessible(page, name);
    assert.deepEqual(errors, []);
    for (const [suffix, colorScheme, width] of [["light", "light", 1200], ["dark", "dark", 1200], ["narrow", "light", 320]]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 900 });
      await page.screenshot({ path: join(SCREENSHOTS, `page-${name}-${suffix}.png`) });
    }
    await page.setViewportSize({ width: 1200, height: 900 });
  }
} finally {
  await browser.close();
}
