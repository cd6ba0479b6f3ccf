// Reads the import statements of a TypeScript file, type-only ones included (they are dependencies too). The sources
// are formatted by Biome, so that a statement starts its line; a compiler would be exact, and slower than the test.
import { existsSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { at } from './files.mjs';

const patterns = [
  /^(?:import|export)\s[^'";]*?\bfrom\s*['"]([^'"]+)['"]/gm,
  /^import\s*['"]([^'"]+)['"]/gm,
  /\bimport\(\s*['"]([^'"]+)['"]/g,
];

/** Module names as they are written, each once. */
export function importsIn(source) {
  const text = source.replace(/^\s*(?:\/\/|\*|\/\*).*$/gm, '');
  return [...new Set(patterns.flatMap((pattern) => [...text.matchAll(pattern)].map((match) => match[1])))];
}

/** `{ relative: files of the repository, packages: names }` that a file imports. */
export function importsOf(file) {
  const names = importsIn(readFileSync(at(file), 'utf8'));
  return {
    relative: names.filter((name) => name.startsWith('.')).map((name) => posix.join(posix.dirname(file), name)),
    packages: names.filter((name) => !name.startsWith('.')),
  };
}

/** The files and everything they import by a relative path, directly or not. */
export function closureOf(files) {
  const seen = new Set(files);
  for (const file of seen) {
    if (!existsSync(at(file))) continue;
    for (const next of importsOf(file).relative) seen.add(next);
  }
  return [...seen].filter((file) => existsSync(at(file))).sort();
}
