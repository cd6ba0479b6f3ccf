import { decode, type Weight } from '../encodings/index.ts';
import { fail } from '../errors/index.ts';
import type { Analysis, Model, Node, ValueType } from '../model/index.ts';
import { roundUp, sizeOf } from '../tensor/index.ts';
import { Constants } from './constants.ts';
import type { Opcode } from './opcodes.ts';
import type { Block, Buffer, Instruction, Operand, Ref } from './program.ts';

/** A vector per row: a run of floats in a buffer. */
export interface Vector {
  readonly ref: Ref;
  /** Meaningful floats. */
  readonly width: number;
}

/** Where the integer codes of a vector stand, their scales and sums, and the distance of the second digit. */
export interface Coded {
  readonly codes: Ref;
  readonly meta: Ref;
  readonly plane: number;
}

/** Builds a program: hands out buffers, packs constants and collects instructions into blocks. */
export class Builder {
  readonly model: Model;
  readonly analysis: Analysis;
  readonly constants = new Constants();
  readonly buffers: Buffer[] = [];
  readonly blocks: Block[] = [];
  readonly values = new Map<string, number>();
  stateBytes = 0;
  readonly callStates: { at: number; floats: number }[] = [];
  private open: Instruction[] = [];
  private inScan = false;
  private coded = new Map<string, Coded>();

  constructor(model: Model, analysis: Analysis) {
    this.model = model;
    this.analysis = analysis;
  }

  emit(op: Opcode, operands: Record<string, Operand>): void {
    this.open.push({ op, operands });
  }

  /** Runs `body` once per step of `time`; what it emits forms a scan block. */
  scan(time: number, backward: boolean, body: () => void): void {
    this.closeRows();
    this.inScan = true;
    body();
    this.inScan = false;
    this.blocks.push({ kind: 'scan', time, backward, instructions: this.open });
    this.open = [];
    this.coded = new Map();
  }

  closeRows(): void {
    if (this.open.length > 0) this.blocks.push({ kind: 'rows', instructions: this.open });
    this.open = [];
    this.coded = new Map();
  }

  /** A new buffer with rows of the time class; inside a scan use class 0 for values of one step. */
  buffer(time: number, width: number): Ref {
    return { buffer: this.buffers.push({ time, width: roundUp(Math.max(width, 1), 16) }) - 1, offset: 0 };
  }

  vector(time: number, width: number): Vector {
    return { ref: this.buffer(time, width), width };
  }

  /** The type and buffer of a node's input. */
  input(node: Node, name: string): { type: ValueType; vector: Vector } {
    const value = node.inputs[name]!;
    const type = this.analysis.values.get(value)!;
    return { type, vector: { ref: { buffer: this.values.get(value)!, offset: 0 }, width: sizeOf(type.shape) } };
  }

  /** The buffer for a node's output, made on first use; undefined where nobody asked for that output. */
  output(node: Node, name: string): { type: ValueType; vector: Vector } | undefined {
    const value = node.outputs[name];
    if (value === undefined) return undefined;
    const type = this.analysis.values.get(value)!;
    let buffer = this.values.get(value);
    if (buffer === undefined) {
      buffer = this.buffer(type.time, sizeOf(type.shape)).buffer;
      this.values.set(value, buffer);
    }
    return { type, vector: { ref: { buffer, offset: 0 }, width: sizeOf(type.shape) } };
  }

  weight(node: Node, role: string): Weight | undefined {
    const name = node.weights[role];
    return name === undefined ? undefined : this.model.weights[name];
  }

  /** Bytes in every stream's state block; returns their offset. */
  state(floats: number): number {
    const at = this.stateBytes;
    this.stateBytes += roundUp(floats, 16) * 4;
    return at;
  }

  /** Rows of a time class as an operand; inside a scan every value has one row per batch element. */
  rows(time: number): Operand {
    return { rowsOf: this.inScan ? 0 : time };
  }

  /** Values of a vector weight, each block of `blockRows` padded to 16, as a constant; undefined without the weight. */
  packedVector(node: Node, role: string, blockRows?: number): number | undefined {
    const weight = this.weight(node, role);
    if (!weight) return undefined;
    return this.constants.once(`${node.weights[role]}|vector|${blockRows}`, () => {
      const values = decode(weight);
      const block = blockRows ?? values.length;
      const padded = roundUp(block, 16);
      const out = new Float32Array((values.length / block) * padded);
      for (let i = 0; i < values.length; i++) out[Math.floor(i / block) * padded + (i % block)] = values[i]!;
      return out;
    });
  }

  /** The integer codes of a vector, computed once per block where several products share it. */
  quantized(vector: Vector, time: number, weight: Weight): Coded {
    const { input } = weight;
    if (input.kind === 'f32') fail('MODEL_INVALID', 'a float32 operand has no codes');
    const key = JSON.stringify([vector, input]);
    const known = this.coded.get(key);
    // A scan's vectors change from instruction to instruction; only whole-block values are safe to share.
    if (known && !this.inScan) return known;
    const digits = input.kind === 'u7' ? 1 : 2;
    const top = 128 ** digits - 1;
    const plane = roundUp(vector.width, 16);
    const bufferTime = this.inScan ? 0 : time;
    const codes = this.buffer(bufferTime, (plane * digits) / 4);
    const meta = this.buffer(bufferTime, 2);
    const dynamic = input.scale === 'dynamic';
    const scale = dynamic ? 0 : Math.fround(input.scale as number);
    this.emit('quantize', {
      rows: this.rows(time),
      src: { ref: vector.ref },
      codes: { ref: codes },
      meta: { ref: meta },
      n: { value: vector.width },
      digits: { value: digits },
      zero: { value: input.zero },
      limit: { value: input.zero === 0 ? top : Math.min(input.zero, top - input.zero) },
      scale: { value: scale },
      inverse: { value: dynamic ? 0 : Math.fround(1 / scale) },
      plane: { value: plane },
    });
    const made = { codes, meta, plane };
    this.coded.set(key, made);
    return made;
  }
}
