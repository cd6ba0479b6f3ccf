import { createSession, decode, denseWeight, type Model, simd128Engine, sizeOf, type Tensor } from '@gatefold/runtime';
import { cellChoices, smallModel } from '../../../runtime/test/support/models.ts';

export type Note = readonly (string | number)[];
export interface FileArray {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** How the model's ports stand in the file it came from. */
export function notesOf(model: Model): Readonly<Record<string, Note>> {
  return model.origin!.ports as Readonly<Record<string, Note>>;
}

/** Places of the file's axes in our order: batch, time, features. */
function order(note: Note): number[] {
  const rank = (axis: string | number) => (axis === 'batch' ? 0 : axis === 'time' ? 1 : 2);
  return note.map((_, i) => i).sort((a, b) => rank(note[a]!) - rank(note[b]!) || a - b);
}

function permute({ shape, data }: FileArray, places: readonly number[], invert: boolean): Float32Array {
  const strides = shape.map((_, i) => sizeOf(shape.slice(i + 1)));
  const ours = places.map((i) => shape[i]!);
  const out = new Float32Array(sizeOf(shape));
  for (let i = 0; i < out.length; i++) {
    let rest = i;
    let at = 0;
    for (let k = ours.length - 1; k >= 0; k--) {
      at += (rest % ours[k]!) * strides[places[k]!]!;
      rest = Math.floor(rest / ours[k]!);
    }
    if (invert) out[at] = data[i]!;
    else out[i] = data[at]!;
  }
  return out;
}

/** An array of the file as our port takes it, and back. */
const toPort = (note: Note, array: FileArray): Float32Array => permute(array, order(note), false);
export const fromPort = (note: Note, data: ArrayLike<number>, shape: readonly number[]): Float32Array =>
  permute({ shape, data }, order(note), true);

/** Runs a model on arrays as the file takes them; `batch` is read off the notes. */
export function runFile(model: Model, inputs: Readonly<Record<string, FileArray>>): Record<string, Tensor> {
  const notes = notesOf(model);
  const session = createSession(model, { engine: simd128Engine });
  const batches = session.inputs.map(({ name }) => {
    const at = notes[name]!.indexOf('batch');
    return at < 0 ? 1 : inputs[name]!.shape[at]!;
  });
  const given = Object.fromEntries(session.inputs.map(({ name }) => [name, toPort(notes[name]!, inputs[name]!)]));
  return session.run(given, { batch: batches[0] ?? 1 });
}

/** The largest |ours − reference| / max(1, |reference|). */
export function difference(ours: ArrayLike<number>, reference: ArrayLike<number>): number {
  if (ours.length !== reference.length) return Number.POSITIVE_INFINITY;
  let most = 0;
  for (let i = 0; i < ours.length; i++) {
    const d = Math.abs(ours[i]! - reference[i]!) / Math.max(1, Math.abs(reference[i]!));
    if (!(d <= most)) most = d;
  }
  return most;
}

/** Seeded inputs of two sequences for every port: ids stay small, open lengths are 9 steps. */
export function randomInputs(model: Model): Record<string, Float32Array> {
  const session = createSession(model, { engine: simd128Engine });
  let seed = 7;
  const next = () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    return seed / 0x7fffffff;
  };
  return Object.fromEntries(
    session.inputs.map(({ name, shape, dtype }) => {
      const count = shape.reduce<number>((n, dim) => n * (dim === 'batch' ? 2 : dim === 'time' ? 9 : dim), 1);
      const make = dtype === 'int32' ? () => Math.floor(next() * 4) : () => next() * 2 - 1;
      return [name, Float32Array.from({ length: count }, make)];
    }),
  );
}

/** A GRU of random weights small enough that it does not blow up small differences. */
export function calmGru(cell: 'gruAfter' | 'gruBefore', units: number): Model {
  const wild = smallModel(5, cellChoices[cell]!, { units, features: 6 });
  const weights = Object.entries(wild.weights).map(([name, w]) => [
    name,
    denseWeight(
      w.shape,
      decode(w).map((value) => value * 0.08),
    ),
  ]);
  return { ...wild, weights: Object.fromEntries(weights) };
}
