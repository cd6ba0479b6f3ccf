// Files of the repository: where they are, what they contain, whether they changed since a stamp was written.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** The path of a file that is named from the root of the repository. */
export const at = (...parts) => join(root, ...parts);

/** All files under a folder (or the file itself), sorted, as paths from the root with forward slashes. */
export function filesUnder(path) {
  const absolute = at(path);
  if (!existsSync(absolute)) return [];
  if (!statSync(absolute).isDirectory()) return [path];
  return readdirSync(absolute, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
}

/** One hash over the names and contents of files. */
export function hashOf(files) {
  const hash = createHash('sha256');
  for (const file of files)
    hash
      .update(`${file}\0`)
      .update(readFileSync(at(file)))
      .update('\0');
  return hash.digest('hex');
}

const stampAt = (name) => at('node_modules/.cache/gatefold', name);

export const readStamp = (name) => (existsSync(stampAt(name)) ? readFileSync(stampAt(name), 'utf8') : undefined);

/** Written beside and renamed, so that two commands at the same time never read half a stamp. */
export function writeStamp(name, value) {
  const path = stampAt(name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.${process.pid}`, value);
  renameSync(`${path}.${process.pid}`, path);
}
