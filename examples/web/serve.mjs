// Builds the page and serves it. `node serve.mjs` serves, `node serve.mjs build` writes dist/.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';

/** esbuild's options for a page that calls the service at `api`. */
function settings(api) {
  if (!URL.canParse(api)) throw new Error(`ACCLAIM_URL is not a URL: ${api}`);
  const url = new URL(api);
  return {
    absWorkingDir: import.meta.dirname,
    entryPoints: ['src/main.ts', 'src/style.css', 'src/index.html', 'src/icon.svg'],
    outdir: 'dist',
    bundle: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    sourcemap: 'linked',
    loader: { '.svg': 'copy' },
    define: { ACCLAIM_URL: JSON.stringify(url.href.replace(/\/$/, '')) },
    plugins: [
      {
        // The page's Content-Security-Policy allows calls to this service only.
        name: 'policy',
        setup(build) {
          build.onLoad({ filter: /\.html$/ }, async ({ path }) => ({
            contents: (await readFile(path, 'utf8')).replace('ACCLAIM_ORIGIN', url.origin),
            loader: 'copy',
          }));
        },
      },
    ],
  };
}

/** Serves the page on http://localhost:`port`, or a free port when that is 0, and rebuilds it at each load. */
export async function serve({ api, port }) {
  const context = await esbuild.context({ ...settings(api), write: false });
  try {
    // Listens on loopback only: a page under development is not for other machines.
    const server = await context.serve({ host: '127.0.0.1', port });
    return { url: `http://localhost:${server.port}`, close: () => context.dispose() };
  } catch (error) {
    await context.dispose();
    throw error;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const api = process.env.ACCLAIM_URL || 'http://127.0.0.1:8000';
  try {
    if (process.argv[2] === 'build') {
      await esbuild.build({ ...settings(api), logLevel: 'info' });
    } else {
      const { url } = await serve({ api, port: Number(process.env.WEB_PORT || 5173) });
      console.log(`Open ${url} (the service it talks to: ${api})`);
    }
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
