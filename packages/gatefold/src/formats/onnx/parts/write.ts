import { analyse, decode, fail, graphOf, type Model, type Weight } from '@gatefold/runtime';
import type { WriteOptions, WrittenModel } from '../../types.ts';
import { looksLikeJson } from '../metadata.ts';
import { editMessage } from '../proto/edit.ts';
import { encodeMessage } from '../proto/encode.ts';
import { messages } from '../proto/schema.ts';
import { microsoft } from '../write/integer.ts';
import { floatBytes, Writer } from '../write/writer.ts';
import { type EditedFrame, editFrame, withNumbers } from './edited-frame.ts';
import { inlined } from './external.ts';
import type { Site, Slot } from './find.ts';
import type { Frame, Held } from './frames.ts';
import { nodeNames, toFile, weightNames } from './matrices.ts';
import { openParts, type PartsFile } from './read.ts';
import { writeSite } from './sites.ts';

/**
 * Writes a model of parts: its source with other weights. Matrices that are coded become those of integer kernels or of nodes that
 * decode them; matrices that only lost weights get new numbers. Every other byte of the graph stays; tensors that stood beside
 * the file stand in it.
 * @throws MODEL_UNSUPPORTED for codings that the file's operator set cannot hold, FILE_*
 */
export async function writeParts(model: Model, { source, beside }: WriteOptions): Promise<WrittenModel> {
  if (!source) fail('MODEL_UNSUPPORTED', 'the parts of a file can only be written into that file');
  const opened = openParts(source);
  const { frames, sites, file, opset } = opened;
  const { graph: main, name } = graphOf(model);
  const analysis = analyse(model, name);
  const host = { opset, names: namesIn(opened) };
  const newWriter = () => new Writer(model, analysis, host);
  const nodes = new Map(main.nodes.map((node) => [node.name, node]));
  const edits = new Map<Frame, EditedFrame>(
    frames.map((frame) => [frame, { writer: newWriter(), nodes: new Map(), tensors: new Map() }]),
  );
  const domains = new Set<string>();
  const products: Record<'integer' | 'float', string[]> = { integer: [], float: [] };
  for (const site of sites) {
    const own = nodeNames(site).map((each) => nodes.get(each) ?? lost(each));
    const coded: Slot[] = [];
    for (const slot of site.slots) {
      const { held } = slot;
      const stored = held.of ?? held;
      const weights = weightsOf(model, site, slot, opened);
      if (weights.some(isCoded)) {
        coded.push(slot);
        for (const each of [stored, held]) edits.get(each.frame)!.tensors.set(each, undefined);
      } else if (weights.some(({ sparsity }) => sparsity)) {
        // Made when the tensor is written: others may share it.
        const numbers = () => floatBytes(toFile(site, slot, weights.map(decode)));
        edits.get(stored.frame)!.tensors.set(stored, (tensor) => withNumbers(tensor, numbers()));
      }
    }
    if (coded.length === 0) continue;
    const made = newWriter();
    const writers = (held: Held) => edits.get(held.frame)!.writer;
    const { replace, integer } = writeSite(site, own, coded, { writers, made });
    edits.get(site.frame)!.nodes.set(site.index, replace);
    products[integer ? 'integer' : 'float'].push(site.name);
    edits.get(site.frame)!.writer.tensors.push(...made.tensors);
    for (const domain of made.domains) domains.add(domain);
  }
  await inlined(frames, edits, beside);
  const missing = [...domains].filter((domain) => !file.opsetImport.some((known) => known.domain === domain));
  const { Model: fields } = messages;
  const recipes = model.metadata.recipes;
  const bytes = editMessage(
    source,
    (field, index, content) => {
      if (field === fields.graph[0]) return [editFrame(content, frames[0]!, edits, file.irVersion ?? 0)];
      const isOld = field === fields.metadataProps[0] && file.metadataProps[index]?.key === 'recipes';
      return isOld && recipes !== undefined ? [] : undefined;
    },
    encodeMessage('Model', {
      opsetImport: missing.map((domain) => ({ domain, version: 1 })),
      metadataProps: recipes === undefined ? [] : [{ key: 'recipes', value: asText(recipes) }],
    }),
  );
  return { bytes, notes: notesOn(products, domains) };
}

function notesOn(products: Readonly<Record<'integer' | 'float', string[]>>, domains: ReadonlySet<string>): string[] {
  const { integer, float } = products;
  return [
    ...(integer.length > 0 ? [`multiplied in integers: ${integer.join(', ')}`] : []),
    ...(float.length > 0 ? [`stored as codes, decoded to float32 by nodes of the file: ${float.join(', ')}`] : []),
    ...(domains.has(microsoft) ? ['DynamicQuantizeLSTM is an operator that onnxruntime has beside the standard'] : []),
  ];
}

function asText(value: unknown): string {
  return typeof value === 'string' && !looksLikeJson(value) ? value : JSON.stringify(value);
}

function lost(name: string): never {
  return fail('MODEL_INVALID', 'the source file is another than the model came from', { place: name });
}

function weightsOf(model: Model, site: Site, slot: Slot, { keyOf }: PartsFile): Weight[] {
  return weightNames(site, slot, keyOf).map((name) => model.weights[name] ?? lost(name));
}

/** Weights as they were read are float32. */
function isCoded({ encoding }: Weight): boolean {
  return encoding.kind !== 'dense' || encoding.type !== 'f32';
}

/** Every name of the file, so that new ones are none of them. */
function namesIn({ frames }: PartsFile): Set<string> {
  return new Set(
    frames.flatMap(({ graph: { node, initializer, input, output } }) => [
      ...node.flatMap((each) => [...each.input, ...each.output, each.name ?? '']),
      ...[...initializer, ...input, ...output].map(({ name }) => name ?? ''),
    ]),
  );
}
