// Runs the statements of ../sql, prepared by name once per connection.
import { readFileSync } from 'node:fs';
import pg from 'pg';

// Ids are below 2^53, so they fit a number. Timestamps stay text, as in the response.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);
pg.types.setTypeParser(pg.types.builtins.TIMESTAMPTZ, (text) => text.replace(' ', 'T'));

// 16 connections for each of two processes: 32 in all, as many as simultaneous requests.
export const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 16 });

const names = ['post', 'first_page', 'deep_page', 'search', 'new_post', 'vote_add', 'vote_remove', 'votes'];
const texts = Object.fromEntries(
  names.map((name) => [name, readFileSync(new URL(`../sql/${name}.sql`, import.meta.url), 'utf8')]),
);

// LIMIT is a literal: as a parameter it would halve the speed.
const withLimit = (text, limit) => text.replace(/LIMIT 11\b/, `LIMIT ${limit + 1}`);

export function query(name, values, limit = 10) {
  return pool.query({ name: `${name} ${limit}`, text: withLimit(texts[name], limit), values });
}
