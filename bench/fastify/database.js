// The statements of ../sql, prepared once on each connection under their names.
import { readFileSync } from 'node:fs';
import pg from 'pg';

// Numbers below 2^53, and moments as the text that goes out.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);
pg.types.setTypeParser(pg.types.builtins.TIMESTAMPTZ, (text) => text.replace(' ', 'T'));

// 16 connections for each of two processes: as many in all as requests come at once.
export const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 16 });

const names = ['post', 'first_page', 'deep_page', 'search', 'new_post', 'vote_add', 'vote_remove', 'votes'];
const texts = Object.fromEntries(
  names.map((name) => [name, readFileSync(new URL(`../sql/${name}.sql`, import.meta.url), 'utf8')]),
);

// The number stands in the statement: bound, it would cost half of the speed.
const withLimit = (text, limit) => text.replace(/LIMIT 11\b/, `LIMIT ${limit + 1}`);

export function query(name, values, limit = 10) {
  return pool.query({ name: `${name} ${limit}`, text: withLimit(texts[name], limit), values });
}
