/** A dimension that the file leaves open is null. */
export type KerasDim = number | null;

/** A 0/1 value of the graph that says which steps count; `true` where all do. */
export type Mask = string | true;

/** What an op of Keras 3 says of elements: x ≠ value, a mask of steps (false: none counts), or masks side by side. */
export type Truth =
  | { readonly kind: 'differs'; readonly of: Value; readonly value: number }
  | { readonly kind: 'steps'; readonly mask: Mask | false }
  | { readonly kind: 'parts'; readonly axis: 'batch' | 'features'; readonly parts: readonly (Mask | false)[] }
  | { readonly kind: 'unknown'; readonly op: string };

/** A tensor of the Keras graph and the value of ours that holds it. */
export interface Value {
  /** Name in our graph; empty for truths, which become values only where a layer uses them. */
  readonly name: string;
  /** Without the batch. From two dimensions on, the first is time. */
  readonly shape: readonly KerasDim[];
  readonly mask?: Mask | undefined;
  /** One dimension, held as steps: ids. */
  readonly steps?: boolean | undefined;
  /** Inside TimeDistributed: `shape` is of one step, and the value has this many. */
  readonly each?: { readonly steps: KerasDim } | undefined;
  readonly truth?: Truth | undefined;
}

/** Product of the dimensions; null where one is open. */
export function sizeOfShape(shape: readonly KerasDim[]): number | null {
  let size = 1;
  for (const dim of shape) {
    if (dim === null) return null;
    size *= dim;
  }
  return size;
}

export function showShape({ shape, each }: Value): string {
  const dims = each ? [each.steps, ...shape] : shape;
  return `[${['batch', ...dims.map((dim) => dim ?? 'open')].join(', ')}]`;
}
