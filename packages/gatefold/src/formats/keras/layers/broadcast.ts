import { stepsHint } from '../../fix.ts';
import type { GraphBuilder } from '../../graph-builder.ts';
import { type LayerContext, refuseLayer } from '../layer.ts';

/** One feature is repeated up to this width by naming it again and again. */
const widest = 4096;

/**
 * Values of one shape from values that numpy would broadcast: a vector beside sequences stands for every step, one step
 * for all, one feature for all.
 */
export function sameShapes(context: LayerContext, values: readonly string[]): string[] {
  const { builder } = context;
  const sequences = values.filter((value) => builder.isSequence(value));
  if (sequences.length === 0) return values.map((value) => widen(context, value, widthOf(builder, values)));
  const lengths = sequences.map((value) => builder.steps(value));
  // Open lengths are as many as the others', which is checked when the model runs.
  const steps = lengths.every((n) => n === 1) ? 1 : lengths.find((n) => n !== 1);
  const width = widthOf(builder, values);
  return values.map((value) => {
    const isSequence = builder.isSequence(value);
    const repeats = isSequence ? builder.steps(value) === 1 && steps !== 1 : true;
    return repeats ? repeat(context, widen(context, value, width), steps, isSequence) : widen(context, value, width);
  });
}

function widthOf(builder: GraphBuilder, values: readonly string[]): number {
  return Math.max(...values.map((value) => builder.type(value).shape.at(-1) ?? 1));
}

function repeat(context: LayerContext, value: string, steps: number | undefined, isSequence: boolean): string {
  const { builder, name } = context;
  if (steps === undefined) {
    return refuseLayer(context, 'repeats a value over an open number of steps', stepsHint);
  }
  if (isSequence && steps === 1) return value;
  return builder.add('repeat', `${name}/repeat`, { x: value }, { times: steps }).y!;
}

function widen(context: LayerContext, value: string, width: number): string {
  const { builder, name } = context;
  const { shape } = builder.type(value);
  if (shape.length !== 1 || shape[0] !== 1 || width === 1) return value;
  if (width > widest) refuseLayer(context, `repeats one feature ${width} times`);
  return builder.add('concat', `${name}/widen`, Object.fromEntries(Array.from({ length: width }, (_, i) => [i, value])))
    .y!;
}
