import { utf8Decode } from '@gatefold/runtime';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { utf8Encode } from '../../src/tensor/index.ts';

it('encodes and decodes UTF-8 as TextEncoder and TextDecoder do', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
      const bytes = new TextEncoder().encode(text);
      expect(utf8Encode(text)).toEqual(bytes);
      expect(utf8Decode(bytes)).toBe(new TextDecoder().decode(bytes));
    }),
  );
  expect(utf8Encode('\ud800x')).toEqual(new TextEncoder().encode('\ud800x'));
});

it('refuses malformed UTF-8 exactly where TextDecoder does', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 8 }), (bytes) => {
      let expected: string | undefined;
      try {
        expected = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
      } catch {}
      expect(utf8Decode(bytes)).toBe(expected);
    }),
    { numRuns: 3000 },
  );
});
