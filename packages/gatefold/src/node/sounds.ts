import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { fail } from '@gatefold/runtime';
import { type NamedSound, readManifest } from '../data/index.ts';
import { readBytes } from './files.ts';

/** Where a recording is and what is known of it. */
export interface ListedSound extends Omit<NamedSound, 'bytes'> {
  readonly path: string;
}

/** Names that begin so are no classes: hidden folders, and background noise. */
const leftOut = /^[._]/;
const isWav = (name: string) => /\.wav$/i.test(name) && !name.startsWith('.');

/**
 * The recordings of a folder: those of its sub-folders, whose names are their classes, or without sub-folders its own,
 * without classes. Of a folder with sub-folders of that name `split` takes one.
 * @throws DATA_INVALID
 */
export function soundsInFolder(path: string, split?: string): { sounds: ListedSound[]; parted: boolean } {
  const inner = split === undefined ? undefined : join(path, split);
  const parted = inner !== undefined && statSync(inner, { throwIfNoEntry: false })?.isDirectory() === true;
  const root = parted ? inner : path;
  const entries = readdirSync(root, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  const classes = entries.filter((entry) => entry.isDirectory() && !leftOut.test(entry.name));
  const loose = entries.filter((entry) => !entry.isDirectory() && isWav(entry.name)).map(({ name }) => name);
  if (classes.length > 0 && loose.length > 0) {
    fail('DATA_INVALID', 'the folder holds recordings with and without a class', {
      place: path,
      expected: 'a sub-folder of recordings per class, or recordings alone',
      found: `${loose[0]} beside the folder ${classes[0]!.name}`,
    });
  }
  const sounds = classes.flatMap(({ name: label }) => {
    const files = readdirSync(join(root, label)).filter(isWav).sort();
    if (files.length === 0) {
      fail('DATA_INVALID', 'a folder of a class holds no .wav files', {
        place: join(root, label),
        expected: 'recordings; folders whose names begin with . or _ are left out',
      });
    }
    return files.map((file) => ({ name: `${label}/${file}`, path: join(root, label, file), label }));
  });
  return { sounds: [...sounds, ...loose.map((name) => ({ name, path: join(root, name) }))], parted };
}

/** The recordings that a table names, or undefined where it is no such table; paths start from its folder. */
export function soundsInManifest(path: string, bytes: Uint8Array): ListedSound[] | undefined {
  return readManifest(basename(path), bytes)?.map(({ path: file, ...known }) => ({
    ...{ name: file, path: isAbsolute(file) ? file : join(dirname(path), file) },
    ...known,
  }));
}

/** The recordings one by one, read when they are asked for. @throws FILE_READ */
export async function* readSounds(sounds: readonly ListedSound[]): AsyncGenerator<NamedSound> {
  for (const { path, ...known } of sounds) yield { ...known, bytes: await readBytes(path) };
}
