// Starts an installed browser: Debian's Chromium, or Google Chrome as on hosted CI machines.
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const programs = ["/usr/bin/chromium", "/usr/bin/google-chrome"];

export function launch() {
  const executablePath = programs.find(existsSync);
  if (!executablePath) throw new Error(`no browser at ${programs.join(" or ")}`);
  const flags = [
    // Chromium cannot create its sandbox in a container, and the pages are the project's own.
    "--no-sandbox",
    "--disable-gpu",
    // No requests except those of the pages under test.
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
  ];
  // Under `faketime` Chromium does not start, so it keeps the real time.
  const { LD_PRELOAD, ...env } = process.env;
  return chromium.launch({ executablePath, args: flags, env });
}
