// Keeps the pictures of docs/images as old as what they show.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { copyFileSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const project = join(import.meta.dirname, '../..');
const images = join(project, 'docs/images');

/**
 * Fails if the pictures in docs/images were taken of something else. `shown` identifies what they show;
 * NAME.sha256 has its digest from when they were taken. Pixels are not compared: they depend on the fonts
 * and the browser of the machine. With UPDATE_PICTURES=1, replaces the pictures by `files` of `folder`.
 */
export function keepPictures(name, shown, folder, files) {
  const digest = createHash('sha256').update(shown).digest('hex');
  const record = join(images, `${name}.sha256`);
  if (process.env.UPDATE_PICTURES === '1') {
    for (const file of files) copyFileSync(join(folder, file), join(images, file));
    writeFileSync(record, `${digest}\n`);
  }
  const recorded = readFileSync(record, 'utf8').trim();
  assert.equal(recorded, digest, `${files.join(' and ')} in docs/images are older than what they show: run \`just pictures\``);
}

/** The names and contents of all source files in a folder of the project. */
export function sources(folder) {
  return readdirSync(join(project, folder), { recursive: true, withFileTypes: true })
    // Generated from the OpenAPI document, of which the page shows nothing.
    .filter((entry) => entry.isFile() && entry.name !== 'api.d.ts')
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((path) => `${relative(project, path)}\n${readFileSync(path, 'utf8')}`)
    .join('\n');
}
