import { fail, validate } from '@gatefold/runtime';
import { GraphBuilder } from '../../graph-builder.ts';
import type { FileParts, ReadOptions } from '../../types.ts';
import { readTensor } from '../graph/initializer.ts';
import { metadataOf } from '../metadata.ts';
import { decodeMessage } from '../proto/decode.ts';
import type { Message } from '../proto/schema.ts';
import { type Found, findSites, type Site } from './find.ts';
import type { Held } from './frames.ts';
import { fromFile, matrixShape, nodeNames, weightNames } from './matrices.ts';
import { UniqueNames } from './names.ts';

/** LSTM, GRU, RNN and MatMul mean what they do since this operator set. */
const firstOpset = 7;

export interface PartsFile extends Found {
  readonly file: Message<'Model'>;
  readonly graph: Message<'Graph'>;
  readonly opset: number;
  /** The name of a tensor's weight, unlike that of any other tensor. */
  readonly keyOf: (held: Held) => string;
}

/** Opens a file to compress its layers in place. @throws FILE_*, MODEL_UNSUPPORTED */
export function openParts(bytes: Uint8Array): PartsFile {
  const file = decodeMessage('Model', bytes, { lenient: true });
  const { graph } = file;
  if (!graph) fail('FILE_CORRUPT', 'the file holds no graph');
  const opset = file.opsetImport.find(({ domain }) => !domain || domain === 'ai.onnx')?.version ?? 1;
  if (opset < firstOpset) {
    fail('FILE_VERSION', 'an operator set that is not read', {
      expected: `opset ${firstOpset} or later`,
      found: `opset ${opset}`,
      hint: 'convert it with onnx.version_converter',
    });
  }
  if (file.trainingInfo.length > 0) fail('MODEL_UNSUPPORTED', 'a file that trains its own weights');
  const keys = new Map<Held, string>();
  const names = new UniqueNames();
  const keyOf = (used: Held) => {
    const held = used.of ?? used;
    const key = keys.get(held) ?? names.take(held.name);
    keys.set(held, key);
    return key;
  };
  const found = findSites(graph, file.irVersion ?? 0);
  // In the order of sites, whoever asks: reading and writing agree on names.
  for (const { slots } of found.sites) for (const { held } of slots) keyOf(held);
  return { ...found, file, graph, opset, keyOf };
}

/**
 * The recurrent and dense layers of a file, however little of the rest is understood.
 * @throws FILE_*, MODEL_UNSUPPORTED where no matrix can be compressed, MODEL_VALUE
 */
export async function readParts(bytes: Uint8Array, options: ReadOptions): Promise<FileParts> {
  const opened = openParts(bytes);
  const { sites, left, rest, file, graph } = opened;
  if (sites.length === 0) {
    fail('MODEL_UNSUPPORTED', 'the file holds no recurrent or dense layer with constant float32 weights', {
      found:
        left.map(({ name, op, reason }) => `${op} "${name}": ${reason}`).join('; ') || Object.keys(rest).join(', '),
    });
  }
  const builder = new GraphBuilder();
  const outputs: { name: string; value: string }[] = [];
  for (const site of sites) {
    const weights = await weightsOf(builder, site, opened, options);
    nodeNames(site).forEach((name, d) => {
      const x = `${outputs.length} → ${name}`;
      const features = matrixShape(site, site.slots[0]!)[1];
      builder.addInput({ name: x, shape: ['batch', 'time', features], dtype: 'float32' });
      const y = site.cell
        ? builder.add('recurrent', name, { x }, attributesOf(site, d), weights[d]!).y!
        : builder.add('dense', name, { x }, {}, weights[d]!).y!;
      if (y !== name) fail('MODEL_UNSUPPORTED', 'a node is called as Gatefold would call another', { place: name });
      outputs.push({ name: `${name} → ${outputs.length}`, value: y });
    });
  }
  const main = builder.graph(outputs);
  const model = validate({
    name: options.name ?? graph.name ?? 'model',
    graphs: { main },
    weights: builder.weightsOf(main),
    metadata: metadataOf(file),
    origin: { format: 'onnx', parts: true, opset: opened.opset },
  });
  return { model, left, rest };
}

function attributesOf({ cell }: Site, d: number): { cell: string; units: number; direction: string } {
  return { cell: cell!.name, units: cell!.units, direction: d === 0 ? 'forward' : 'backward' };
}

/** The weights of a site's nodes by role, one for each direction. */
async function weightsOf(
  builder: GraphBuilder,
  site: Site,
  { keyOf }: PartsFile,
  { beside }: ReadOptions,
): Promise<Record<string, string>[]> {
  const out: Record<string, string>[] = nodeNames(site).map(() => ({}));
  for (const slot of site.slots) {
    const names = weightNames(site, slot, keyOf);
    if (!Object.hasOwn(builder.weights, names[0]!)) {
      const { data } = await readTensor(slot.held.tensor, slot.held.name, beside);
      fromFile(site, slot, data as Float32Array).forEach((matrix, d) => {
        builder.weight(names[d]!, () => ({ shape: matrixShape(site, slot), data: matrix }));
      });
    }
    names.forEach((name, d) => {
      out[d]![slot.role] = name;
    });
  }
  return out;
}
