// Prints the size of the page's own JavaScript, unminified and without the generated client, and fails above
// the limit: the example has to stay small enough to read.
import * as esbuild from 'esbuild';
import { settings } from './serve.mjs';

const LIMIT = 64_000;
const { metafile } = await esbuild.build({
  ...settings('http://127.0.0.1:8000'),
  minify: false,
  sourcemap: false,
  write: false,
  metafile: true,
});
const inputs = Object.values(metafile.outputs).find(({ entryPoint }) => entryPoint === 'src/main.ts').inputs;
const size = Object.entries(inputs)
  .filter(([path]) => path.startsWith('src/'))
  .reduce((sum, [, { bytesInOutput }]) => sum + bytesInOutput, 0);
console.log(`The page's own JavaScript has ${size} bytes of at most ${LIMIT}.`);
if (size > LIMIT) process.exitCode = 1;
