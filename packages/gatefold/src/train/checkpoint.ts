import { crc32, fail, readSafetensors, type StoredTensor, writeSafetensors } from '@gatefold/runtime';
import type { CarriedState } from './ops/index.ts';
import type { Parameters } from './parameters.ts';

type Arrays = ReadonlyMap<string, Float32Array>;

/** All that a run needs to go on with the same bits. */
export interface Checkpoint {
  /** Of the model's shapes and the settings; another run does not take it. */
  readonly key: string;
  /** Name of the backend that made it. Another one goes on from it too, but to other bits than without the interruption. */
  readonly engine: string;
  readonly numbers: {
    readonly epoch: number;
    readonly index: number;
    readonly lossSum: number;
    readonly plateaus: number;
    readonly sinceBest: number;
    readonly bestValidation: number;
    readonly updates: number;
    readonly averaged: number;
  };
  readonly values: Arrays;
  readonly moments: Arrays;
  readonly best?: Arrays;
  readonly average?: Arrays;
  readonly companion?: Arrays;
  /** Carried states of every thread. */
  readonly states: readonly ReadonlyMap<string, CarriedState>[];
}

/** Text that differs where a checkpoint would not fit. */
export function checkpointKey({ trained }: Parameters, settings: Readonly<Record<string, number>>): string {
  const shapes = trained.map(({ name, shape }) => `${name}[${shape.join()}]`).join(' ');
  return `${shapes} ${JSON.stringify(settings)}`;
}

const magic = 'gatefold-checkpoint-1';
const groups = ['values', 'moments', 'best', 'average', 'companion'] as const;

/** As a safetensors file. Numbers stand as text that holds every bit. */
export function writeCheckpoint(checkpoint: Checkpoint): Uint8Array {
  const tensors = new Map<string, StoredTensor>();
  const put = (name: string, data: ArrayLike<number>) => {
    const bytes = new Uint8Array(4 * data.length);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < data.length; i++) view.setFloat32(4 * i, data[i]!, true);
    tensors.set(name, { type: 'F32', shape: [data.length], bytes });
  };
  for (const group of groups) {
    for (const [name, data] of checkpoint[group] ?? []) put(`${group}/${name}`, data);
  }
  const batches = checkpoint.states.map((states, thread) =>
    Object.fromEntries(
      [...states].map(([node, { batch, values }]) => {
        for (const [name, data] of Object.entries(values)) put(`states/${thread}/${node}/${name}`, data);
        return [node, batch];
      }),
    ),
  );
  const { bestValidation, ...numbers } = checkpoint.numbers;
  const text = JSON.stringify({
    ...{ key: checkpoint.key, engine: checkpoint.engine, batches },
    numbers: { ...numbers, bestValidation: Number.isFinite(bestValidation) ? bestValidation : null },
  });
  return writeSafetensors({ metadata: { format: magic, run: text, crc: checksum(text, tensors) }, tensors });
}

/** Of the text, and of every tensor's name and bytes in their order. */
function checksum(text: string, tensors: ReadonlyMap<string, StoredTensor>): string {
  const parts = [...tensors].map(([name, { type, shape, bytes }]) => [name, type, shape, crc32(bytes)]);
  return String(crc32(new TextEncoder().encode(JSON.stringify([text, parts]))));
}

/** @throws FILE_FORMAT, FILE_CORRUPT, FILE_TRUNCATED */
export function readCheckpoint(bytes: Uint8Array): Checkpoint {
  const { metadata, tensors } = readSafetensors(bytes);
  if (metadata.format !== magic) fail('FILE_FORMAT', 'this is no checkpoint', { expected: magic });
  if (checksum(metadata.run ?? '', tensors) !== metadata.crc) fail('FILE_CORRUPT', 'the checkpoint is damaged');
  // The checksum holds: what follows is what was written.
  const { key, engine = 'first', numbers, batches } = JSON.parse(metadata.run!);
  const read = new Map<string, Map<string, Float32Array>>();
  for (const [name, tensor] of tensors) {
    const at = name.indexOf('/');
    const group = read.get(name.slice(0, at)) ?? new Map<string, Float32Array>();
    group.set(name.slice(at + 1), floatsOf(tensor));
    read.set(name.slice(0, at), group);
  }
  const stored = [...(read.get('states') ?? [])];
  const states = (batches as Record<string, number>[]).map((nodes, thread) => {
    return new Map(
      Object.entries(nodes).map(([node, batch]): [string, CarriedState] => {
        const prefix = `${thread}/${node}/`;
        const own = stored.filter(([name]) => name.startsWith(prefix) && !name.slice(prefix.length).includes('/'));
        const values = Object.fromEntries(own.map(([name, data]) => [name.slice(prefix.length), data]));
        return [node, { batch, values }];
      }),
    );
  });
  const [best, average, companion] = ['best', 'average', 'companion'].map((group) => read.get(group));
  return {
    ...{ key, engine },
    numbers: { ...numbers, bestValidation: numbers.bestValidation ?? Number.POSITIVE_INFINITY },
    values: read.get('values')!,
    moments: read.get('moments') ?? new Map(),
    ...(best ? { best } : {}),
    ...(average ? { average } : {}),
    ...(companion ? { companion } : {}),
    states,
  };
}

function floatsOf({ bytes }: StoredTensor): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
}
