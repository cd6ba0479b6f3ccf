import { decode, type Encoding, fail, type Model, roundTo, type Weight } from '@gatefold/runtime';
import { encodingName } from '../../evaluate/index.ts';
import { type ActivationSummary, operandValue, summarizeActivations } from '../activations.ts';
import { matricesOf, type Place } from '../address.ts';
import { type Moments, prepareMoments } from '../moments.ts';
import type { PassChange, PassContext, PassResult } from '../pass.ts';
import { applySparsity } from '../prune/apply.ts';
import { keepZeros } from '../prune/implied.ts';
import { correctBias } from './bias.ts';
import { compensates, encodeGates } from './encode.ts';
import { chooseOperand } from './operand.ts';
import { type QuantizeOptions, type Settled, settle } from './options.ts';
import { type Chosen, chooseGates } from './select.ts';

export { type QuantizeOptions, type Scheme, schemes } from './options.ts';

/**
 * Post-training quantization of a model's matrices: fewer bits per weight, integer operands where kernels exist.
 * Returns a new model that shares what did not change.
 * @throws OPTION_INVALID, TARGET_EMPTY; DATA_INVALID where an option needs calibration data and there are none
 */
export function quantize(model: Model, options: QuantizeOptions, context: PassContext = {}): PassResult {
  return quantizeWays(model, [options], context)[0]!;
}

/**
 * Quantizes in several ways, each from the model as it is. Calibration runs once, and what differs in operands alone is
 * encoded once.
 * @throws as {@link quantize}
 */
export function quantizeWays(given: Model, ways: readonly QuantizeOptions[], context: PassContext): PassResult[] {
  const model = keepZeros(given);
  const plans = ways.map((options) => {
    const chosen = chooseGates(matricesOf(model), options);
    if (chosen.length === 0) fail('TARGET_EMPTY', 'the model has no matrices to quantize');
    const all = chosen.flatMap(({ gates }) => gates.filter((gate) => gate !== undefined));
    return { settled: settle(options), chosen, all };
  });
  const gates = plans.flatMap(({ all }) => all);
  const seen = calibrate(
    model,
    plans.flatMap(({ chosen }) => chosen.map(({ place }) => place)),
    plans.some(({ settled }) => settled.biasCorrection) ||
      gates.some((gate) => gate.operandScale === 'static' || gate.compensation === 'obs'),
    gates.some(compensates),
    context,
  );
  const prepared = new Map<string, Moments | undefined>();
  const encodings = new Map<string, Encoding>();
  const encode = ({ place, gates: own }: Chosen, summary: ActivationSummary | undefined): Encoding => {
    const { weight } = place;
    const before = model.weights[weight]!;
    const key = JSON.stringify([weight, own.map((gate) => gate && { ...gate, operand: '', operandScale: '' })]);
    if (!prepared.has(weight)) prepared.set(weight, momentsFor(summary, before));
    const encoding = encodings.get(key) ?? encodeGates(before, own, prepared.get(weight));
    encodings.set(key, encoding);
    return encoding;
  };
  return plans.map(({ settled, chosen, all }) => {
    const weights: Record<string, Weight> = { ...model.weights };
    const changes: PassChange[] = [];
    chosen.forEach((each, i) => {
      const { place, gates: own } = each;
      context.signal?.throwIfAborted();
      context.onProgress?.(i, chosen.length, `${place.node.name}/${place.role}`);
      const before = model.weights[place.weight]!;
      const value = operandValue(place);
      const summary = value === undefined ? undefined : seen.get(value);
      const encoding = encode(each, summary);
      const input = chooseOperand(model, place, encoding, own, summary);
      const coded: Weight = { shape: before.shape, encoding, input };
      const after = before.sparsity ? applySparsity(coded, before.sparsity, `${place.node.name}/${place.role}`) : coded;
      weights[place.weight] = after;
      changes.push(changeOf(place, before, after));
      if (settled.biasCorrection && summary) {
        const corrected = correctBias({ ...model, weights }, place, before, after, summary);
        if (corrected) weights[corrected.name] = corrected.bias;
      }
    });
    if (settled.vectors === 'f16') halveVectors(weights, model);
    return { model: { ...model, weights }, changes, warnings: warningsFor(all) };
  });
}

function calibrate(
  model: Model,
  places: readonly Place[],
  needed: boolean,
  withGram: boolean,
  { calibration }: PassContext,
): ReadonlyMap<string, ActivationSummary> {
  if (!calibration) {
    if (needed) {
      fail('DATA_INVALID', 'static operand scales, bias correction and compensation need calibration data', {
        hint: 'give data with --calibrate or --data',
      });
    }
    return new Map();
  }
  const values = [...new Set(places.map(operandValue).filter((value) => value !== undefined))];
  return values.length === 0 ? new Map() : summarizeActivations(model, values, calibration(model), withGram);
}

/** Moments of a matrix's operand; a convolution's windows have none of their own here. */
function momentsFor(summary: ActivationSummary | undefined, { shape }: Weight): Moments | undefined {
  const columns = shape.slice(1).reduce((a, b) => a * b, 1);
  return summary?.gram?.length === columns * columns ? prepareMoments(summary.gram, columns) : undefined;
}

function halveVectors(weights: Record<string, Weight>, model: Model): void {
  for (const [name, weight] of Object.entries(model.weights)) {
    const now = weights[name]!;
    if (weight.shape.length !== 1 || now.encoding.kind !== 'dense') continue;
    weights[name] = {
      ...now,
      encoding: { kind: 'dense', type: 'f16', values: roundTo('f16', now.encoding.values.slice()) },
    };
  }
}

function changeOf({ node, role }: Place, before: Weight, after: Weight): PassChange {
  const a = decode(before);
  const b = decode(after);
  let error = 0;
  let power = 0;
  for (let i = 0; i < a.length; i++) {
    error += (a[i]! - b[i]!) ** 2;
    power += a[i]! ** 2;
  }
  return {
    place: `${node.name}/${role}`,
    before: encodingName(before),
    after: encodingName(after),
    relativeError: power > 0 ? Math.sqrt(error / power) : 0,
  };
}

function warningsFor(gates: readonly Settled[]): string[] {
  const unchanged = 'the file shrinks, memory and speed do not change';
  const out = new Set<string>();
  for (const { scheme, bits, operand } of gates) {
    if (scheme === 'f16') out.add(`float16 weights are decoded to float32 at load: ${unchanged}`);
    else if (scheme !== 'linear' && bits > 4)
      out.add(`${scheme} above 4 bits is decoded to float32 at load: ${unchanged}`);
    else if (operand === 'f32') out.add('float32 operands use float kernels: smaller, but hardly faster');
  }
  return [...out];
}
