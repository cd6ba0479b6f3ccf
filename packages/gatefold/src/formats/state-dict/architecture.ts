import { fail, parseActivation } from '@gatefold/runtime';
import { parseDocument } from 'yaml';
import { z } from 'zod';

const name = z.string().min(1).max(200);
const key = z.string().min(1).max(400);
const whole = z.number().int();
/** Where the layer reads from: names of earlier layers, or "input". The layer before it, where it is absent. */
const base = { name: name.optional(), from: z.union([name, z.array(name).min(1).max(64)]).optional() };
/** Prefix of the layer's keys; the empty text for a file of one module. */
const weights = z.string().max(400);
const gate = z.enum(['input', 'forget', 'output', 'candidate', 'update', 'reset']);

const recurrent = {
  ...base,
  weights,
  direction: z.enum(['forward', 'backward']).optional(),
  /** Keys by role, where they do not have PyTorch's names; the layer is a single one then. */
  keys: z
    .strictObject({
      input: key,
      recurrent: key,
      bias: key.optional(),
      recurrentBias: key.optional(),
      projection: key.optional(),
    })
    .optional(),
  /** Gates in the order in which the file stacks them, where it is not PyTorch's. */
  gates: z.array(gate).min(3).max(4).optional(),
  /** The matrices stand as [inputs, outputs]. */
  transposed: z.boolean().optional(),
};
const linear = { ...base, weights, keys: z.strictObject({ kernel: key, bias: key.optional() }).optional() };
const epsilon = z.number().min(0).max(1);
const padding = z.union([whole.min(0).max(65_535), z.tuple([whole.min(0).max(65_535), whole.min(0).max(65_535)])]);

const layer = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('embedding'), ...base, weights, keys: z.strictObject({ table: key }).optional() }),
  z.strictObject({ type: z.literal('lstm'), ...recurrent }),
  z.strictObject({ type: z.literal('gru'), ...recurrent }),
  z.strictObject({ type: z.literal('rnn'), ...recurrent, nonlinearity: z.enum(['tanh', 'relu']).optional() }),
  z.strictObject({ type: z.literal('linear'), ...linear, transposed: z.boolean().optional() }),
  z.strictObject({
    type: z.literal('conv1d'),
    ...linear,
    stride: whole.min(1).max(65_535),
    padding,
    dilation: whole.min(1).max(65_535),
  }),
  z.strictObject({ type: z.literal('layerNorm'), ...base, weights, epsilon }),
  z.strictObject({ type: z.literal('rmsNorm'), ...base, weights, epsilon }),
  z.strictObject({ type: z.literal('batchNorm'), ...base, weights, epsilon }),
  z.strictObject({ type: z.literal('prelu'), ...base, weights }),
  z.strictObject({
    type: z.literal('activation'),
    ...base,
    function: z.union([z.string().max(40), z.array(z.union([z.string().max(40), z.number(), z.null()])).max(8)]),
  }),
  z.strictObject({ type: z.literal('softmax'), ...base }),
  z.strictObject({ type: z.literal('logSoftmax'), ...base }),
  z.strictObject({ type: z.literal('last'), ...base }),
  z.strictObject({ type: z.literal('finalState'), ...base }),
  z.strictObject({ type: z.literal('mean'), ...base }),
  z.strictObject({ type: z.literal('max'), ...base }),
  z.strictObject({ type: z.literal('reverse'), ...base }),
  z.strictObject({
    type: z.literal('pool'),
    ...base,
    function: z.enum(['max', 'mean']),
    size: whole.min(1).max(65_535),
    stride: whole.min(1).max(65_535),
  }),
  z.strictObject({ type: z.literal('flatten'), ...base }),
  z.strictObject({ type: z.literal('repeat'), ...base, times: whole.min(1).max(1 << 20) }),
  z.strictObject({ type: z.literal('concat'), ...base }),
  z.strictObject({ type: z.literal('add'), ...base }),
  z.strictObject({ type: z.literal('multiply'), ...base }),
]);

const schema = z.strictObject({
  version: z.literal(1),
  input: z.strictObject({
    name: name.optional(),
    /** Numbers per step; or ids of an embedding. */
    features: whole
      .min(1)
      .max(1 << 24)
      .optional(),
    ids: z.boolean().optional(),
    steps: whole
      .min(1)
      .max(1 << 24)
      .optional(),
    /** False for a model that takes one vector. */
    time: z.boolean().optional(),
  }),
  layers: z.array(layer).min(1).max(1000),
  /** Layers whose values are the outputs; the last one where it is absent. */
  outputs: z.array(name).min(1).max(64).optional(),
  /** Keys that are no part of the model at inference; `*` stands for any text. */
  ignore: z.array(key).max(1000).optional(),
});

/** How the tensors of a state dict make a network: the file of `--arch`. */
export type Architecture = z.infer<typeof schema>;
export type ArchitectureLayer = Architecture['layers'][number];

/**
 * Reads the text of an architecture file, YAML or JSON.
 * @throws OPTION_INVALID with the place in the file
 */
export function parseArchitecture(text: string): Architecture {
  const refuse = (found: string, place = '--arch') =>
    fail('OPTION_INVALID', 'the architecture file is not as it should be', {
      place,
      found,
      hint: 'gatefold inspect FILE --template prints one to start from',
    });
  if (text.length > 4_000_000) refuse('more than 4 MB');
  const document = parseDocument(text);
  if (document.errors.length > 0) refuse(document.errors[0]!.message.slice(0, 300));
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    refuse((error as Error).message);
  }
  const result = schema.safeParse(value);
  if (!result.success) {
    const issue = result.error.issues[0]!;
    return refuse(issue.message, `--arch: ${issue.path.join('.') || 'whole file'}`);
  }
  return result.data;
}

/** A function of an architecture file as an activation. @throws OPTION_INVALID */
export function activationOf(value: string | readonly unknown[], place: string) {
  const list = typeof value === 'string' ? [value] : value;
  return (
    parseActivation(list) ??
    fail('OPTION_INVALID', 'the function is not known', { place, found: JSON.stringify(value).slice(0, 80) })
  );
}
