import type { Emitter } from './emitter.ts';
import type { Mask, Value } from './values.ts';

/** The 0/1 value of x ≠ number in any feature; one node for all that ask for it. */
export function differs(emitter: Emitter, x: Value, value: number): string {
  const known = emitter.nodes.find(
    (node) => node.op === 'mask' && node.inputs.x === x.name && node.attributes.value === value,
  );
  return known?.outputs.y ?? emitter.node(`${x.name}/mask`, 'mask', x.name, { attributes: { value } });
}

/** Steps that all masks keep. */
export function allOf(emitter: Emitter, place: string, masks: readonly (Mask | false)[]): Mask | false {
  if (masks.includes(false)) return false;
  return combine(emitter, place, 'minimum', masks.filter((mask) => typeof mask === 'string')) ?? true;
}

/** Steps that any mask keeps. */
export function anyOf(emitter: Emitter, place: string, masks: readonly (Mask | false)[]): Mask | false {
  if (masks.includes(true)) return true;
  return combine(emitter, place, 'maximum', masks.filter((mask) => typeof mask === 'string')) ?? false;
}

function combine(emitter: Emitter, place: string, fn: string, masks: readonly string[]): string | undefined {
  const [first, ...others] = new Set(masks);
  return first === undefined ? undefined : others.reduce((a, b) => emitter.binary(`${place}/mask`, fn, a, b), first);
}
