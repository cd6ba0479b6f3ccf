import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { at, filesUnder } from '../scripts/lib/files.mjs';

const read = (file: string) => readFileSync(at(file), 'utf8');
const declaration = 'packages/runtime/src/errors/index.ts';
const union = read(declaration)
  .replace(/\/\/.*$/gm, '')
  .match(/export type ErrorCode =([^;]*);/)![1]!;
const codes = [...union.matchAll(/^\s*\| '([A-Z_]+)'/gm)].map((match) => match[1]!);

describe('error codes', () => {
  it('are documented, one section each, in the order of their declaration', () => {
    const sections = [...read('docs/errors.md').matchAll(/^### (?:`)?([A-Z_]+)/gm)].map((match) => match[1]);
    expect(sections).toEqual(codes);
  });

  it('each say what they mean, what causes them and what to do', () => {
    const [, ...sections] = read('docs/errors.md').split(/^### /m);
    const incomplete = sections.filter(
      (text) => !(/\*\*Causes\.\*\* \S/.test(text) && /\*\*To do\.\*\* \S/.test(text)),
    );
    expect(incomplete.map((text) => text.split('\n')[0])).toEqual([]);
  });

  it('are all thrown somewhere', () => {
    const sources = ['runtime', 'gatefold'].flatMap((name) => filesUnder(`packages/${name}/src`));
    const text = sources.filter(
      (file) => file.endsWith('.ts') && file !== declaration && !file.includes('/generated/'),
    );
    // As the first argument of a call: `fail('CODE'`, `refuse('CODE'`, `new GatefoldError('CODE'`; a table is no use.
    const used = new Set(
      text.flatMap((file) => [...read(file).matchAll(/\(\s*'([A-Z_]+)'/g)].map((match) => match[1])),
    );
    expect(codes.filter((code) => !used.has(code))).toEqual([]);
  });
});
