// Builds the page and serves it. `node serve.mjs` serves, `node serve.mjs build` writes dist/.
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';

const dist = join(import.meta.dirname, 'dist');
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.map': 'application/json',
};

/** esbuild's options for a page that calls the service at `api`. */
export function settings(api) {
  if (!URL.canParse(api)) throw new Error(`ACCLAIM_URL is not a URL: ${api}`);
  const { origin, href } = new URL(api);
  const service = href.replace(/\/$/, '');
  return {
    absWorkingDir: import.meta.dirname,
    entryPoints: ['src/main.ts', 'src/style.css', 'src/index.html', 'src/icon.svg'],
    outdir: 'dist',
    bundle: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    sourcemap: 'linked',
    charset: 'utf8',
    loader: { '.svg': 'copy' },
    define: { ACCLAIM_URL: JSON.stringify(service) },
    plugins: [
      {
        // The page's Content-Security-Policy allows calls to this service only.
        name: 'policy',
        setup(build) {
          build.onLoad({ filter: /\.html$/ }, async ({ path }) => ({
            contents: (await readFile(path, 'utf8')).replace('ACCLAIM_ORIGIN', origin).replaceAll('ACCLAIM_URL', service),
            loader: 'copy',
          }));
        },
      },
    ],
  };
}

/**
 * Serves the page on http://localhost:`port`, or a free port when that is 0, and rebuilds it at each load.
 * The page has a view for every path, so a path without a file gets index.html.
 */
export async function serve({ api, port }) {
  const context = await esbuild.context({ ...settings(api), write: false });
  let files;
  const build = async () => {
    const { outputFiles } = await context.rebuild();
    files = new Map(outputFiles.map((file) => [`/${relative(dist, file.path)}`, file.contents]));
  };
  const server = createServer(async (request, response) => {
    try {
      const { pathname } = new URL(request.url, 'http://localhost');
      const path = extname(pathname) ? pathname : '/index.html';
      if (path === '/index.html') await build();
      const found = files.get(path);
      response.writeHead(found ? 200 : 404, { 'Content-Type': TYPES[extname(path)] ?? 'text/plain', 'Cache-Control': 'no-store' });
      response.end(found ?? 'Not found');
    } catch (error) {
      // esbuild has printed the lines with errors.
      response.writeHead(500, { 'Content-Type': 'text/plain' }).end(error.message);
    }
  });
  try {
    await build();
    // Listens on loopback only: a page under development is not for other machines.
    await once(server.listen(port, '127.0.0.1'), 'listening');
  } catch (error) {
    await context.dispose();
    throw error;
  }
  return {
    url: `http://localhost:${server.address().port}`,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await context.dispose();
    },
  };
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
