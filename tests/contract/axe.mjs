// Checks the accessibility of a page with axe-core: all of its rules, WCAG 2 and best practices alike.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const AXE = readFileSync(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8");

// The narrowest window in which a page must not scroll sideways (WCAG 2.2, 1.4.10), in CSS pixels.
const NARROW = 320;

/**
 * Fails if axe-core finds something in `page` as it is now, in the light and in the dark colour scheme, at
 * its own width and at 320 px, or if the page scrolls sideways at 320 px. `name` names the view in the
 * message. Afterwards the page has its own width, and the media features of its browser context.
 */
export async function assertAccessible(page, name) {
  const own = page.viewportSize();
  const findings = new Map();
  for (const size of [own, { width: NARROW, height: own.height }]) {
    await page.setViewportSize(size);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      const found = [...(await violations(page)), ...(size === own ? [] : await overflow(page))];
      const where = `${size.width} px ${colorScheme}`;
      for (const text of found) findings.set(text, [...(findings.get(text) ?? []), where]);
    }
  }
  await page.setViewportSize(own);
  await page.emulateMedia({ colorScheme: null, reducedMotion: null });
  const lines = Array.from(findings, ([text, where]) => `- ${text}\n  (${where.join(", ")})`);
  if (lines.length > 0) assert.fail(`${name} is not accessible\n${lines.join("\n")}`);
}

/** One text for each element that breaks a rule. */
async function violations(page) {
  if (await page.evaluate("typeof axe === 'undefined'")) await page.evaluate(AXE);
  const rules = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }).then((run) => run.violations));
  return rules.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html}\n  ${failureSummary}`));
}

/** One text for each element that extends past the window, if the page scrolls sideways. */
function overflow(page) {
  return page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth <= clientWidth) return [];
    const wide = [...document.querySelectorAll("body *")].filter((el) => el.getBoundingClientRect().right > clientWidth);
    return [`the page is ${scrollWidth} px wide`, ...wide.map((el) => `too wide: ${el.outerHTML.slice(0, 200)}`)];
  });
}
