// A browser of this machine: Debian's Chromium, or the Chrome that hosted CI machines come with.
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const programs = ["/usr/bin/chromium", "/usr/bin/google-chrome"];

export function launch() {
  const executablePath = programs.find(existsSync);
  if (!executablePath) throw new Error(`no browser at ${programs.join(" or ")}`);
  const flags = [
    // The pages are the project's own, and in a container Chromium cannot make its sandbox.
    "--no-sandbox",
    "--disable-gpu",
    // It talks to nobody but the pages under test.
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
  ];
  return chromium.launch({ executablePath, args: flags });
}
