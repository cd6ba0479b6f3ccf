import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { decode, denseWeight, GatefoldError, graphOf, type Model } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { readModel, withWeightsOf } from '../../src/formats/index.ts';

const folder = fileURLToPath(new URL('../../../../fixtures/keras/', import.meta.url));
const bytesOf = (name: string) => new Uint8Array(readFileSync(folder + name));
const whole = readdirSync(folder).filter((name) => name.endsWith('.h5') && !name.includes('weights'));

const values = ({ weights }: Model) => Object.entries(weights).map(([name, weight]) => [name, [...decode(weight)]]);

/** The model without numbers, and with other names. */
function blank(model: Model, rename: (name: string) => string): Model {
  const { graph, name } = graphOf(model);
  const weights = Object.entries(model.weights).map(([key, { shape }]) => [
    key,
    denseWeight(shape, new Float32Array(shape.reduce((a, b) => a * b, 1))),
  ]);
  const nodes = graph.nodes.map((node) => ({ ...node, name: rename(node.name) }));
  return { ...model, graphs: { [name]: { ...graph, nodes } }, weights: Object.fromEntries(weights) };
}

function lend(bytes: Uint8Array, model: Model): Model | string {
  try {
    return withWeightsOf(bytes, model).model;
  } catch (error) {
    if (error instanceof GatefoldError) return error.code;
    throw error;
  }
}

describe('weights of a Keras file for the graph of another', () => {
  it('are the weights that the file has, by name or in order, or refused', async () => {
    const outcomes: Record<string, string> = {};
    for (const file of whole) {
      const bytes = bytesOf(file);
      const { model } = await readModel(bytes);
      const lent = [(name: string) => name, (name: string) => `other ${name.replaceAll(/\W/g, '')}`].map((rename) =>
        lend(bytes, blank(model, rename)),
      );
      for (const each of lent) if (typeof each !== 'string') expect(values(each), file).toEqual(values(model));
      outcomes[file] = lent.map((each) => (typeof each === 'string' ? each : 'taken')).join(', ');
    }
    expect(Object.values(outcomes).filter((outcome) => outcome === 'taken, taken').length).toBeGreaterThan(8);
    expect(outcomes).toMatchSnapshot();
  });

  it('are refused where files have no names of layers, or shapes do not fit', async () => {
    const { model } = await readModel(bytesOf(whole[0]!));
    const torch = new Uint8Array(readFileSync(new URL('../torch/state.pt', `file://${folder}`)));
    expect(lend(torch, model)).toBe('OPTION_INVALID');
    const names = readdirSync(folder).filter((name) => name.endsWith('.weights.h5'));
    const numbered = names.map((name) => lend(bytesOf(name), model));
    expect(numbered).not.toContain('taken');
    const odd = {
      ...model,
      weights: Object.fromEntries(
        Object.keys(model.weights).map((key) => [key, denseWeight([1, 1], new Float32Array(1))]),
      ),
    };
    expect(lend(bytesOf(whole[0]!), odd)).toBe('MODEL_SHAPE');
  });
});
