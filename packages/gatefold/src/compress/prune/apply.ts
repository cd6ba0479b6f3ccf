import { decode, fail, keptWeights, type SimpleEncoding, type Sparsity, type Weight } from '@gatefold/runtime';

/**
 * The weight without what was removed, in the encoding that it has.
 * @throws MODEL_UNSUPPORTED where its codes cannot say zero
 */
export function applySparsity(weight: Weight, sparsity: Sparsity, place: string): Weight {
  const { encoding, shape } = weight;
  const kept = keptWeights({ shape, sparsity })!;
  if (encoding.kind !== 'concat') return { ...weight, encoding: zeroed(encoding, kept, shape, place), sparsity };
  const columns = kept.length / shape[0]!;
  let from = 0;
  const parts = encoding.parts.map(({ rows, encoding: part }) => {
    const own = kept.subarray(from * columns, (from + rows) * columns);
    from += rows;
    return { rows, encoding: zeroed(part, own, [rows, ...shape.slice(1)], place) };
  });
  return { ...weight, encoding: { kind: 'concat', parts }, sparsity };
}

function zeroed(encoding: SimpleEncoding, kept: Uint8Array, shape: readonly number[], place: string): SimpleEncoding {
  if (encoding.kind === 'dense') {
    return { ...encoding, values: encoding.values.map((value, i) => (kept[i] ? value : 0)) };
  }
  if (encoding.kind === 'affine' && !encoding.offsets) {
    return { ...encoding, codes: encoding.codes.map((code, i) => (kept[i] ? code : 0)) };
  }
  // Codes that mean 0 already may stay: what matters is what they mean.
  const values = decode({ encoding, shape });
  const zeros = values.findIndex((value, i) => !kept[i] && value !== 0);
  if (zeros < 0) return encoding;
  return fail('MODEL_UNSUPPORTED', 'these codes cannot mean exactly zero', {
    place,
    found: encoding.kind === 'affine' ? `${encoding.bits} bits with an offset` : `${encoding.scheme}${encoding.bits}`,
    hint: 'prune before quantizing, and quantize with symmetric codes',
  });
}
