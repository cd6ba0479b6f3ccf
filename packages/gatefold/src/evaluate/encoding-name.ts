import { bitsPerWeight, keptWeights, type Weight } from '@gatefold/runtime';

/** An encoding in a few words, as tables show it: `int8/row u7`, `log4/row u7`, `f32`, `f32 10% of 8×4`. */
export function encodingName(weight: Weight): string {
  const kept = keptWeights(weight);
  if (!kept) return codesName(weight);
  const share = kept.reduce((sum, bit) => sum + bit, 0) / kept.length;
  const percent = Number((100 * share).toPrecision(2));
  return `${codesName(weight)} ${percent}% of ${weight.sparsity!.block.join('×')}`;
}

function codesName({ encoding, shape, input }: Weight): string {
  const operand = input.kind === 'f32' ? '' : ` ${input.kind}`;
  if (encoding.kind === 'concat') {
    const bits = bitsPerWeight({ encoding, shape });
    return `mixed ${Number.isInteger(bits) ? bits : bits.toFixed(1)} bits${operand}`;
  }
  if (encoding.kind === 'dense') return encoding.type;
  const name = encoding.kind === 'affine' ? `int${encoding.bits}` : `${encoding.scheme}${encoding.bits}`;
  const group = encoding.rowsPerGroup === 1 ? 'row' : encoding.rowsPerGroup === shape[0] ? 'tensor' : 'gate';
  return `${name}/${group}${operand}`;
}
