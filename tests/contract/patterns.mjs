// Compiles every pattern of the OpenAPI document as JSON Schema prescribes: ECMA-262 with the flag `u`.
// Compares that of a title with Unicode: at least one character must show something.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const document = JSON.parse(readFileSync(process.argv[2], "utf8"), (name, value) => {
  if (name === "pattern" && typeof value === "string") new RegExp(value, "u");
  return value;
});
const title = new RegExp(document.components.schemas.Title.pattern, "u");
const blank = /^[\p{White_Space}\p{Default_Ignorable_Code_Point}]$/u;
for (let code = 1; code <= 0x10ffff; code++) {
  const character = String.fromCodePoint(code);
  assert.notEqual(title.test(character), blank.test(character), `U+${code.toString(16)}`);
}
