import { type LayerContext, type LayerReader, noArguments, refuseLayer } from '../layer.ts';
import type { KerasTensor } from '../tensor.ts';
import { sameShapes } from './broadcast.ts';
import { joinTruths, stepMask } from './truth.ts';

/**
 * The mask of joined tensors. Keras 2: a step counts where every mask says so. Keras 3: where any does, and a tensor
 * without mask counts everywhere; before 3.4 lists of tensors lost their masks.
 */
function joinMasks({ builder, name, version }: LayerContext, inputs: readonly KerasTensor[]): string | undefined {
  const [first, ...rest] = new Set(inputs.flatMap(({ mask }) => (mask === undefined ? [] : [mask])));
  if (first === undefined) return undefined;
  const isOr = version.major >= 3;
  if (isOr && (version.minor < 4 || inputs.some(({ mask }) => mask === undefined))) return undefined;
  const fn = isOr ? 'maximum' : 'multiply';
  return rest.reduce((a, b) => builder.add('binary', `${name}/mask`, { a, b }, { function: fn }).y!, first);
}

function elementwise(fn: string, average = false): LayerReader {
  return (context, inputs) => {
    const { builder, name } = context;
    if (inputs.length < 1) refuseLayer(context, 'is called without inputs');
    const [first, ...rest] = sameShapes(
      context,
      inputs.map(({ value }) => value),
    );
    let value = first!;
    for (const b of rest) value = builder.add('binary', name, { a: value, b }, { function: fn }).y!;
    if (average) {
      value = builder.add('unary', `${name}/mean`, { x: value }, { function: ['affine', 1 / inputs.length, 0] }).y!;
    }
    return [{ value, mask: joinMasks(context, inputs) }];
  };
}

/** Whether the layer leaves out what masks hide, as Keras 3.4 and later do. */
function minds({ version }: LayerContext, inputs: readonly KerasTensor[]): boolean {
  return version.major >= 3 && version.minor >= 4 && inputs.some(({ mask }) => mask !== undefined);
}

/** a where the mask is set, else b. */
function select(context: LayerContext, mask: string, a: string, b: string): string {
  const { builder, name } = context;
  if (a === b) return a;
  const not = builder.add('unary', `${name}/not`, { x: mask }, { function: ['oneMinus'] }).y!;
  const kept = builder.add('applyMask', `${name}/kept`, { x: a, mask }).y!;
  const other = builder.add('applyMask', `${name}/other`, { x: b, mask: not }).y!;
  return builder.add('binary', `${name}/select`, { a: kept, b: other }, { function: 'add' }).y!;
}

/** Masked steps count as 1 in the product; where every tensor is masked, as 0 in the end. */
const multiply: LayerReader = (context, inputs, named) => {
  if (!minds(context, inputs)) return elementwise('multiply')(context, inputs, named);
  const { builder, name } = context;
  const values = sameShapes(
    context,
    inputs.map(({ value }) => value),
  );
  const factors = values.map((value, i) => {
    const { mask } = inputs[i]!;
    if (mask === undefined) return value;
    return select(
      context,
      mask,
      value,
      builder.add('unary', `${name}/ones`, { x: value }, { function: ['affine', 0, 1] }).y!,
    );
  });
  const value = factors.reduce((a, b) => builder.add('binary', name, { a, b }, { function: 'multiply' }).y!);
  const mask = joinMasks(context, inputs);
  return [
    { value: mask === undefined ? value : builder.add('applyMask', `${name}/masked`, { x: value, mask }).y!, mask },
  ];
};

/** Where one side is masked the other is taken; where both are, the first. */
function extreme(fn: 'maximum' | 'minimum'): LayerReader {
  return (context, inputs, named) => {
    if (!minds(context, inputs)) return elementwise(fn)(context, inputs, named);
    const { builder, name } = context;
    const values = sameShapes(
      context,
      inputs.map(({ value }) => value),
    );
    let value = values[0]!;
    let { mask } = inputs[0]!;
    inputs.slice(1).forEach(({ mask: other }, i) => {
      const b = other === undefined ? values[i + 1]! : select(context, other, values[i + 1]!, value);
      const a = mask === undefined ? value : select(context, mask, value, b);
      value = builder.add('binary', name, { a, b }, { function: fn }).y!;
      mask =
        mask === undefined || other === undefined
          ? undefined
          : joinMasks(context, [
              { value: '', mask },
              { value: '', mask: other },
            ]);
    });
    return [{ value, mask: joinMasks(context, inputs) }];
  };
}

/** Along time: with time and features exchanged it is a concatenation of features. */
function joinSteps({ builder }: LayerContext, values: readonly string[], what: string): string {
  const across = values.map((value) => builder.add('transpose', `${what}/across`, { x: value }).y!);
  const named = Object.fromEntries(across.map((value, i) => [String(i), value]));
  return builder.add('transpose', what, { x: builder.add('concat', `${what}/joined`, named).y! }).y!;
}

export const concatenate: LayerReader = (context, inputs) => {
  const { builder, name, layer } = context;
  if (inputs.length < 1) refuseLayer(context, 'is called without inputs');
  const axis = Number(layer.config.axis ?? -1);
  if (inputs.some(({ truth }) => truth)) {
    if (axis === -1) return joinTruths(context, inputs, noArguments);
    const masks = inputs.map(
      (tensor) => stepMask(context, tensor, { value: '' }) ?? refuseLayer(context, 'joins a mask that is always true'),
    );
    return [{ value: '', truth: { masks: [joinSteps(context, masks, name)], always: false } }];
  }
  const rank = builder.rank(inputs[0]!.value, context.eachStep);
  if (axis === -1 || axis === rank - 1) {
    const list = Object.fromEntries(inputs.map(({ value }, i) => [String(i), value]));
    return [{ value: builder.add('concat', name, list).y!, mask: joinMasks(context, inputs) }];
  }
  if (rank !== 3 || (axis !== 1 && axis !== -2))
    return refuseLayer(context, `axis ${axis}`, 'concatenate along steps or features');
  const value = joinSteps(
    context,
    inputs.map((tensor) => tensor.value),
    name,
  );
  if (inputs.every(({ mask }) => mask === undefined) || (context.version.major >= 3 && context.version.minor < 4))
    return [{ value }];
  // A sequence without mask counts everywhere: 0·x + 1 of its first feature.
  const masks = inputs.map((tensor) => {
    if (tensor.mask !== undefined) return tensor.mask;
    const first = builder.add('slice', `${name}/first`, { x: tensor.value }, { from: 0, to: 1 }).y!;
    return builder.add('unary', `${name}/ones`, { x: first }, { function: ['affine', 0, 1] }).y!;
  });
  return [{ value, mask: joinSteps(context, masks, `${name}/mask`) }];
};

export const mergeLayers: Readonly<Record<string, LayerReader>> = {
  Add: elementwise('add'),
  Subtract: elementwise('subtract'),
  Multiply: multiply,
  Average: elementwise('add', true),
  Maximum: extreme('maximum'),
  Minimum: extreme('minimum'),
  Concatenate: concatenate,
};
