import {
  analyse,
  bitsPerWeight,
  createSession,
  decode,
  graphOf,
  type Model,
  sizeOf,
  storedBytes,
  writeGatefold,
} from '@gatefold/runtime';
import { encodingName } from './encoding-name.ts';
import { macsOf } from './macs.ts';

/** Cost of one node; bytes as on disk. */
export interface NodeCost {
  readonly name: string;
  readonly op: string;
  readonly cell?: string;
  readonly units?: number;
  readonly weights: readonly {
    readonly role: string;
    readonly shape: readonly number[];
    readonly encoding: string;
    readonly bits: number;
    readonly bytes: number;
  }[];
  readonly parameters: number;
  readonly bytes: number;
  /** Executed; and with every weight, removed ones too. */
  readonly macsPerStep: number;
  readonly denseMacsPerStep: number;
}

export interface Costs {
  readonly parameters: number;
  readonly nonZero: number;
  /** 4 bytes per parameter: what the plain weights take. */
  readonly float32Bytes: number;
  /** The .gatefold file. */
  readonly bytes: number;
  readonly brotliBytes?: number;
  /** Memory a session holds: packed weights, buffers, one stream's state. */
  readonly residentBytes: number;
  /** Executed; and with every weight, removed ones too. */
  readonly macsPerStep: number;
  readonly denseMacsPerStep: number;
  readonly energy: EnergyEstimate;
  readonly nodes: readonly NodeCost[];
}

/** An estimate, not a measurement. */
export interface EnergyEstimate {
  readonly nanojoulesPerStep: number;
  readonly assumption: string;
}

/**
 * Picojoules at 45 nm, 0.9 V, from M. Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014,
 * figure 1.1.9: integer add 0.03 (8 bit) and 0.1 (32 bit), multiply 0.2 (8 bit); float32 add 0.9, multiply 3.7; reading
 * 64 bits from an 8 kB cache 10.
 */
const picojoules = { int8Multiply: 0.2, int32Add: 0.1, float32Multiply: 3.7, float32Add: 0.9, cacheByte: 10 / 8 };

/** What a model costs, on disk, in memory and per step. `brotli` gives a compressed size where the platform has one. */
export function costsOf(model: Model, brotli?: (bytes: Uint8Array) => number): Costs {
  const { graph, name } = graphOf(model);
  const analysis = analyse(model, name);
  const counted = new Set<string>();
  let energy = 0;
  const nodes = graph.nodes.map((node): NodeCost => {
    const weights = Object.entries(node.weights).map(([role, key]) => {
      const weight = model.weights[key]!;
      // A shared weight is stored once, with its first user.
      const bytes = counted.has(key) ? 0 : storedBytes(weight);
      counted.add(key);
      return { role, shape: weight.shape, encoding: encodingName(weight), bits: bitsPerWeight(weight), bytes };
    });
    const { executed, dense, matrices } = macsOf(model, node, analysis);
    for (const { weight, macs } of matrices) {
      const { encoding, shape } = weight;
      const integer = weight.input.kind !== 'f32';
      const arithmetic = integer
        ? picojoules.int8Multiply + picojoules.int32Add
        : picojoules.float32Multiply + picojoules.float32Add;
      energy += macs * (arithmetic + (bitsPerWeight({ encoding, shape }) / 8) * picojoules.cacheByte);
    }
    return {
      name: node.name,
      op: node.op,
      ...(node.op === 'recurrent' ? { cell: String(node.attributes.cell), units: Number(node.attributes.units) } : {}),
      weights,
      parameters: weights.reduce((sum, { shape }) => sum + sizeOf(shape), 0),
      bytes: weights.reduce((sum, { bytes }) => sum + bytes, 0),
      macsPerStep: executed,
      denseMacsPerStep: dense,
    };
  });
  const values = Object.values(model.weights).map(decode);
  const parameters = values.reduce((sum, list) => sum + list.length, 0);
  const file = writeGatefold(model);
  return {
    parameters,
    nonZero: values.reduce((sum, list) => sum + list.reduce((n, value) => n + (value === 0 ? 0 : 1), 0), 0),
    float32Bytes: parameters * 4,
    bytes: file.length,
    ...(brotli ? { brotliBytes: brotli(file) } : {}),
    residentBytes: createSession(model).residentBytes,
    macsPerStep: nodes.reduce((sum, node) => sum + node.macsPerStep, 0),
    denseMacsPerStep: nodes.reduce((sum, node) => sum + node.denseMacsPerStep, 0),
    energy: {
      nanojoulesPerStep: energy / 1000,
      assumption: 'estimate: matrix products alone, weights read from an 8 kB cache, 45 nm (Horowitz, ISSCC 2014)',
    },
    nodes,
  };
}
