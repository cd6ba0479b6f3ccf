import { emitActivation } from './activation.ts';
import type { NodeWriter } from './types.ts';
import { constantTensor } from './weights.ts';

const conv1d: NodeWriter = (emitter, node) => {
  const { builder } = emitter;
  const value = node.inputs.x!;
  const { size, stride = 1, dilation = 1, groups = 1 } = node.attributes as Record<string, number>;
  const [left, right] = (node.attributes.padding ?? [0, 0]) as [number, number];
  const channels = emitter.width(value);
  const steps = emitter.steps(value);
  if (emitter.stepwise || steps === undefined) return emitter.refuse(node, 'convolution over an open number of steps');
  const depthwise = groups !== 1;
  if (depthwise && groups !== channels) emitter.refuse(node, `convolution in ${groups} groups`);
  const [outputs] = emitter.weight(node, 'kernel')!.shape;
  let x = emitter.input(node, 'x');
  if (left || right) {
    const padded = emitter.between(node, 'padded', [1, steps + left + right, channels]);
    builder.operator('PAD', [x, builder.ints(`${node.name}/paddings`, [0, 0, left, right, 0, 0], [3, 2])], [padded]);
    x = padded;
  }
  const reshape = (from: number, to: number, shape: number[]) =>
    builder.operator('RESHAPE', [from, builder.ints(`${node.name}/shape`, shape)], [to]);
  const image = emitter.between(node, 'image', [1, steps + left + right, 1, channels]);
  reshape(x, image, [1, steps + left + right, 1, channels]);
  const y = emitter.define(node.outputs.y!);
  const shape = builder.shapeOf(y);
  const range = emitter.rangeOf(node.outputs.y!);
  const made = emitter.between(node, 'made', [1, shape[1]!, 1, outputs!], undefined, range);
  const bias = emitter.vector(node, 'bias', outputs!);
  const options = { padding: 1, strideW: 1, strideH: stride, activation: 0, dilationW: 1, dilationH: dilation };
  if (depthwise) {
    const rows = emitter.rows(node, 'kernel');
    if (rows.kind === 'INT8')
      return emitter.refuse(node, 'a depthwise kernel with codes', 'leave it out with --target');
    // Rows per output become columns.
    const values = Float32Array.from(
      rows.values,
      (_, i) => rows.values[(i % outputs!) * size! + Math.floor(i / outputs!)]!,
    );
    const kernel = constantTensor(builder, node.weights.kernel!, [1, size!, 1, outputs!], { ...rows, values }, false);
    const sized = builder.shapeOf(kernel);
    builder.operator(
      'DEPTHWISE_CONV_2D',
      [image, kernel, bias],
      [made],
      { ...options, multiplier: sized[3]! / channels },
      2,
    );
  } else {
    const kernel = emitter.constant(node, 'kernel', [outputs!, size!, 1, channels], true);
    builder.operator('CONV_2D', [image, kernel, bias], [made], options, 5);
  }
  reshape(made, y, [...shape]);
};

/** Zeros before and after, or steps cut off. */
const pad: NodeWriter = (emitter, node) => {
  const { builder } = emitter;
  const { left = 0, right = 0 } = node.attributes as Record<string, number>;
  const steps = emitter.steps(node.inputs.x!);
  if (emitter.stepwise || steps === undefined) return emitter.refuse(node, 'padding of an open number of steps');
  let x = emitter.input(node, 'x');
  const inner = builder.shapeOf(x).slice(2);
  const list = (name: string, values: number[]) => builder.ints(`${node.name}/${name}`, values);
  const shape = [1, steps + Math.min(0, left) + Math.min(0, right), ...inner];
  const y = emitter.define(node.outputs.y!);
  if (left < 0 || right < 0) {
    const cut = left > 0 || right > 0 ? emitter.between(node, 'cut', shape) : y;
    const begin = list('begin', [0, Math.max(0, -left), ...inner.map(() => 0)]);
    builder.operator('SLICE', [x, begin, list('size', shape)], [cut]);
    x = cut;
  }
  if (left > 0 || right > 0) {
    const amounts = [0, 0, Math.max(0, left), Math.max(0, right), ...inner.flatMap(() => [0, 0])];
    builder.operator('PAD', [x, builder.ints(`${node.name}/paddings`, amounts, [2 + inner.length, 2])], [y]);
  } else if (left === 0 && right === 0) emitActivation(emitter, node, ['linear', []], x, y);
};

const pool: NodeWriter = (emitter, node) => {
  const { builder } = emitter;
  const { size = 1, stride = 1 } = node.attributes as Record<string, number>;
  const steps = emitter.steps(node.inputs.x!);
  const [left, right] = (node.attributes.padding ?? [0, 0]) as [number, number];
  if (emitter.stepwise || steps === undefined) return emitter.refuse(node, 'pooling of an open number of steps');
  if (left || right) emitter.refuse(node, 'pooling with padding');
  const width = emitter.width(node.inputs.x!);
  const y = emitter.define(node.outputs.y!);
  const shape = builder.shapeOf(y);
  const image = emitter.between(node, 'image', [1, steps, 1, width]);
  const made = emitter.between(node, 'made', [1, shape[1]!, 1, width]);
  const reshapeTo = (from: number, to: number) =>
    builder.operator('RESHAPE', [from, builder.ints(`${node.name}/shape`, [...builder.shapeOf(to)])], [to]);
  reshapeTo(emitter.input(node, 'x'), image);
  const options = { padding: 1, strideW: 1, strideH: stride, filterWidth: 1, filterHeight: size, activation: 0 };
  builder.operator(node.attributes.function === 'max' ? 'MAX_POOL_2D' : 'AVERAGE_POOL_2D', [image], [made], options);
  reshapeTo(made, y);
};

/** What works on windows of steps, or moves their ends. */
export const windowWriters: Readonly<Record<string, NodeWriter>> = { conv1d, pad, pool };
