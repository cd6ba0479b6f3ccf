import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { analyse, denseWeight, type Model } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { randomSource, randomValues } from '../../../../runtime/test/support/random.ts';
import { removeChannels } from '../../../src/compress/prune/units/remove.ts';
import { readModel } from '../../../src/formats/index.ts';
import { fixtures } from '../../formats/fixtures.ts';
import { maskChannels, nodeOf, outputDifference, someChannels } from './support.ts';

const folder = fileURLToPath(new URL('../../../../../fixtures/', import.meta.url));

/** The model with a dense layer behind every output, so that the units that made it can go. */
function headed(model: Model): Model {
  const random = randomSource(5);
  const weights = { ...model.weights };
  const graphs = Object.entries(model.graphs).map(([name, graph]) => {
    const { values } = analyse(model, name);
    const heads = graph.outputs.flatMap(({ name: port, value: shown }, i) => {
      const maker = graph.nodes.find(({ outputs }) => outputs.y === shown);
      const spread = maker?.op === 'reshape' && values.get(shown)!.shape.length > 1;
      const value = spread ? maker.inputs.x! : shown;
      const { shape } = values.get(value)!;
      if (shape.length !== 1 || graph.states.some(({ output }) => output === port)) return [];
      weights[`head${i}/kernel`] = denseWeight([3, shape[0]!], randomValues(random, 3 * shape[0]!));
      return [
        { port, skipped: spread ? maker : undefined, node: nodeOf(`head${i}`, 'dense', { x: value }, ['kernel']) },
      ];
    });
    const outputs = graph.outputs.map((output) => {
      const head = heads.find(({ port }) => port === output.name);
      return head ? { ...output, value: head.node.outputs.y! } : output;
    });
    return [
      name,
      {
        ...graph,
        nodes: [
          ...graph.nodes.filter((node) => !heads.some(({ skipped }) => skipped === node)),
          ...heads.map(({ node }) => node),
        ],
        outputs,
      },
    ] as const;
  });
  return { ...model, weights, graphs: Object.fromEntries(graphs) };
}

/** Files of ops on inputs alone, and of layers that begin with states that are inputs. */
const nothing =
  /(activation-layers|with-settings|merges|normalizations|pooling|k\d-states|functions|(layout1|reverse|onnx.*bidirectional)-states)\./;

async function holds(name: string, read: Model): Promise<void> {
  const model = headed(read);
  let removed = 0;
  for (const seed of [1, 2]) {
    const { map, gone } = someChannels(model, 0.5, seed);
    removed += gone.size;
    const small = removeChannels(model, map, gone);
    expect(outputDifference(maskChannels(model, map, gone), small)).toBeLessThanOrEqual(1e-6);
  }
  expect(removed > 0, 'whether it has units that can go').toBe(!nothing.test(name));
}

describe('the smaller model equals the masked one, of files', () => {
  it.each(fixtures())('keras/$name', async ({ name, bytes, architecture }) => {
    const { model } = await readModel(bytes, architecture ? { architecture } : {});
    await holds(`keras/${name}`, model);
  });

  const others = ['torch', 'tflite', 'onnx'].flatMap((kind) =>
    readdirSync(folder + kind)
      .filter((file) => /\.(pt|ckpt|tflite|onnx)$/.test(file) && !/^(evil|cells|deep|branches)/.test(file))
      .map((file) => `${kind}/${file}`),
  );
  it.each(others)('%s', async (name) => {
    const bytes = new Uint8Array(readFileSync(folder + name));
    const beside = async (path: string) => new Uint8Array(readFileSync(`${folder}onnx/${path}`));
    const { model } = await readModel(bytes, { beside });
    await holds(name, model);
  });
});
