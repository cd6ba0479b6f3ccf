import { fail, type Model } from '@gatefold/runtime';
import { isZip } from '../data/zip.ts';
import { withFixedSteps } from './fix.ts';
import { isKerasArchitecture, readKerasArchitecture } from './keras/index.ts';
import { formats } from './registry.ts';
import type { CellBound, FileParts, Format, LentModel, ReadOptions } from './types.ts';

export type { FileParts, LeftNode, LentModel, ReadOptions, WriteOptions } from './types.ts';

export interface ReadModel {
  readonly model: Model;
  readonly format: { readonly name: string; readonly version: string };
}

/** Formats that are recognised so that their refusal can name them. */
const others: readonly { name: string; is: (bytes: Uint8Array) => boolean }[] = [
  { name: 'a zip file of another kind', is: isZip },
  { name: 'a Python pickle that PyTorch did not save', is: (bytes) => bytes[0] === 0x80 && bytes[1]! <= 5 },
  {
    name: 'JSON (an architecture alone?)',
    is: (bytes) => /^\s*[{[]/.test(ascii(bytes, 0, 16)),
  },
  { name: 'a protocol buffer (an ONNX or TensorFlow model)', is: (bytes) => bytes[0] === 0x08 || bytes[0] === 0x0a },
];

/**
 * The format of a file, and its bytes as plain ones: Node's Buffer is a Uint8Array whose slices are no copies, and readers count
 * on them.
 */
function recognised({ buffer, byteOffset, byteLength }: Uint8Array): { bytes: Uint8Array; format: Format | undefined } {
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  return { bytes, format: formats.find(({ is }) => is(bytes)) };
}

/**
 * Reads a model of any format in the registry, told by its content.
 * @throws FILE_FORMAT for anything else, and what the readers throw
 */
export async function readModel(given: Uint8Array, options: ReadOptions = {}): Promise<ReadModel> {
  const { bytes, format } = recognised(given);
  if (format) {
    const { model, version } = await format.read(bytes, options);
    return {
      model: format.fixes ? model : withFixedSteps(model, options.fix),
      format: { name: format.name, version },
    };
  }
  const known = others.find(({ is }) => is(bytes));
  return fail('FILE_FORMAT', 'this is no model file that can be read', {
    expected: [...new Set(formats.map(({ title }) => title))].join(', '),
    found:
      known?.name ??
      `bytes ${[...bytes.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ') || '(none)'}`,
  });
}

/**
 * What a file says of a network that shall be trained from its beginning: of a model file of any format, or Keras' JSON of an
 * architecture. The weights are to be initialised.
 * @throws as readModel
 */
export async function readArchitecture(given: Uint8Array, options: ReadOptions = {}): Promise<Model> {
  const { bytes, format } = recognised(given);
  if (!format && isKerasArchitecture(bytes)) return readKerasArchitecture(bytes, options);
  return (await readModel(bytes, options)).model;
}

/**
 * Reads a file that was written from `model`: formats that hold no graph give its graph the weights of the file.
 * @throws as readModel
 */
export async function rereadModel(given: Uint8Array, model: Model, options: ReadOptions = {}): Promise<ReadModel> {
  const { bytes, format } = recognised(given);
  if (!format?.reread) return readModel(bytes, options);
  return { model: format.reread(bytes, model), format: { name: format.name, version: '' } };
}

/**
 * A model with the weights of a file that may hold no graph, taken by the names of its layers.
 * @throws OPTION_INVALID for files whose weights have no such names, FILE_*, MODEL_SHAPE
 */
export function withWeightsOf(given: Uint8Array, model: Model): LentModel {
  const { bytes, format } = recognised(given);
  if (!format?.lend) {
    fail('OPTION_INVALID', 'weights are taken by name from files of Keras', {
      place: '--weights',
      expected: formats.flatMap(({ lend, title }) => (lend ? [title] : [])).join(', '),
      found: format?.title ?? 'another file',
    });
  }
  return format.lend(bytes, model);
}

/** The format whose writer can put compressed layers back into a file like this, where there is one. Never throws. */
export function partsFormat(given: Uint8Array): string | undefined {
  const { format } = recognised(given);
  return format?.readParts && format.name;
}

/**
 * The layers of a file that is not understood as a whole; the format's `write` puts them back into it.
 * @throws FILE_*, MODEL_UNSUPPORTED where there are none
 */
export async function readParts(given: Uint8Array, options: ReadOptions = {}): Promise<FileParts> {
  const { bytes, format } = recognised(given);
  if (!format?.readParts) fail('MODEL_UNSUPPORTED', 'only whole models of this format are compressed');
  return format.readParts(bytes, options);
}

/**
 * The text of an architecture file for a file of weights, to be completed by a person.
 * @throws OPTION_INVALID where the file needs none, FILE_*, MODEL_*
 */
export function architectureTemplate(given: Uint8Array): string {
  const { bytes, format } = recognised(given);
  if (!format?.template) {
    fail('OPTION_INVALID', 'only files of weights without a graph need an architecture', {
      place: '--template',
      expected: formats.flatMap(({ template, title }) => (template ? [title] : [])).join(', '),
      found: format?.title ?? 'another file',
    });
  }
  return format.template(bytes);
}

/**
 * The format that writes files of an extension, or of a name.
 * @throws OPTION_INVALID listing what can be written
 */
export function writerFor(nameOrExtension: string, place: string): Format & Required<Pick<Format, 'write'>> {
  const wanted = nameOrExtension.toLowerCase();
  const found = formats.find(
    ({ write, name, extensions }) => write && (name === wanted || extensions.includes(wanted)),
  );
  if (!found?.write) {
    fail('OPTION_INVALID', `models cannot be written as "${nameOrExtension}"`, {
      place,
      expected: formats.flatMap(({ write, extensions }) => (write ? extensions.map((e) => `.${e}`) : [])).join(', '),
    });
  }
  const { write } = found;
  return {
    ...found,
    async write(model, options) {
      refuseBounds(model, found);
      return write(model, options);
    },
  };
}

const cellBounds: readonly CellBound[] = ['clip', 'cellClip', 'inputClip'];

/** A writer that does not know a bound would leave it out, and the file compute something else. */
function refuseBounds({ graphs }: Model, { title, cellBounds: held = [] }: Format): void {
  for (const { name, attributes } of Object.values(graphs).flatMap(({ nodes }) => nodes)) {
    const odd = cellBounds.find((bound) => attributes[bound] !== undefined && !held.includes(bound));
    if (odd === undefined) continue;
    fail('MODEL_UNSUPPORTED', `${title} has no recurrent cell with "${odd}"`, {
      place: name,
      found: String(attributes[odd]),
    });
  }
}

function ascii(bytes: Uint8Array, from: number, count: number): string {
  return String.fromCharCode(...bytes.subarray(from, from + count));
}
