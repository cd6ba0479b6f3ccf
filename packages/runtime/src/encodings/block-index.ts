import { fail } from '../errors/index.ts';
import { packBits, packedLength, unpackBits } from '../tensor/index.ts';
import { type ArraySource, type Descriptor, oneOf, wholeNumber } from './storage.ts';

/** Which blocks are kept, as it stands in a file. */
export interface StoredBlocks {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

const widest = 16;

/**
 * Writes which blocks are kept: one bit for each, or the gaps before the kept ones in as many bits as take least room, whichever is
 * smaller. The largest number of a width stands for that many removed blocks after which none is kept yet.
 */
export function storeBlocks(kept: Uint8Array): StoredBlocks {
  const gaps: number[] = [];
  let last = -1;
  kept.forEach((bit, i) => {
    if (bit === 0) return;
    gaps.push(i - last - 1);
    last = i;
  });
  let best = { bytes: packedLength(kept.length, 1), width: 0 };
  for (let width = 1; width <= widest; width++) {
    const most = 2 ** width - 1;
    const symbols = gaps.reduce((sum, gap) => sum + Math.floor(gap / most) + 1, 0);
    const bytes = packedLength(symbols, width);
    if (bytes < best.bytes) best = { bytes, width };
  }
  if (best.width === 0) return { descriptor: { index: 'bitmap' }, bytes: packBits(kept, 1) };
  const most = 2 ** best.width - 1;
  const symbols = gaps.flatMap((gap) => [...new Array<number>(Math.floor(gap / most)).fill(most), gap % most]);
  return {
    descriptor: { index: 'gaps', width: best.width, symbols: symbols.length },
    bytes: packBits(symbols, best.width),
  };
}

/**
 * The inverse of {@link storeBlocks} for `count` blocks.
 * @throws FILE_CORRUPT
 */
export function restoreBlocks(descriptor: Descriptor, count: number, source: ArraySource): Uint8Array {
  const place = `${source.place}.kept`;
  if (oneOf(descriptor, 'index', ['bitmap', 'gaps'] as const, source.place) === 'bitmap') {
    return Uint8Array.from(unpackWhole(source, count, 1));
  }
  const width = wholeNumber(descriptor, 'width', 1, widest, source.place);
  // A gap takes at least one symbol for each kept block and for each 2^width − 1 removed ones.
  const symbols = unpackWhole(source, wholeNumber(descriptor, 'symbols', 0, count, source.place), width);
  const most = 2 ** width - 1;
  const kept = new Uint8Array(count);
  let at = 0;
  for (const symbol of symbols) {
    at += symbol;
    if (at >= count)
      fail('FILE_CORRUPT', 'a kept block lies beyond the matrix', { place, expected: `${count} blocks` });
    if (symbol < most) kept[at++] = 1;
  }
  if (symbols.at(-1) === most) fail('FILE_CORRUPT', 'the list of kept blocks ends in a gap', { place });
  return kept;
}

function unpackWhole(source: ArraySource, count: number, bits: number): Uint16Array {
  const bytes = source.take('.kept', 'U8', packedLength(count, bits));
  const rest = (count * bits) % 8;
  if (rest > 0 && bytes.at(-1)! >> rest !== 0) {
    fail('FILE_CORRUPT', 'there are bits after the last of the list of kept blocks', { place: `${source.place}.kept` });
  }
  return unpackBits(bytes, count, bits);
}
