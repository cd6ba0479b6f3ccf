import { instructionSet, instructionWords, memoryMap, type Opcode, opcodeNames } from '../../src/lower/opcodes.ts';
import { roundUp } from '../../src/tensor/index.ts';

/** A reference's two words: byte offset of row 0, bytes from row to row (negative for a sequence inside a scan). */
export type Ref = readonly [number, number];
export type Operands = Readonly<Record<string, number | Ref>>;

/** Bytes whose values the law fixes; `floats` may hold NaN, of which any stands for any. */
interface Output {
  readonly at: number;
  readonly floats: number;
  readonly bytes: number;
}

const BYTES = 1 << 18;

/** A memory image under construction: data are laid one after the other, each followed by a gap. */
export class Image {
  static readonly bytes = BYTES;
  readonly buffer = new ArrayBuffer(BYTES);
  readonly f32 = new Float32Array(this.buffer);
  readonly i32 = new Int32Array(this.buffer);
  readonly u8 = new Uint8Array(this.buffer);
  readonly random: () => number;
  readonly batch: number;
  /** What the law fixes … */
  readonly outputs: Output[] = [{ at: memoryMap.error, floats: 2, bytes: 0 }];
  /** … and what may be written at all (outputs and the padding behind them). */
  readonly writable: { at: number; end: number }[] = [{ at: memoryMap.error, end: memoryMap.batch }];
  private next = 64;

  constructor(random: () => number, batch: number) {
    this.random = random;
    this.batch = batch;
    // Padding holds what would be seen if it were used.
    this.f32.fill(Number.NaN);
    this.f32[0] = 0;
    this.f32[1] = 0;
    this.i32[memoryMap.batch >> 2] = batch;
  }

  allocate(bytes: number): number {
    const at = this.next;
    this.next = roundUp(at + bytes, 16) + 64;
    if (this.next > BYTES - 4096) throw new Error('the test image is full');
    return at;
  }

  register(value: number): number {
    const at = this.allocate(4);
    this.i32[at >> 2] = value;
    return at;
  }

  constant(values: ArrayLike<number> & ArrayBufferView): number {
    const at = this.allocate(values.byteLength);
    this.u8.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), at);
    return at;
  }

  /** One state block per batch element, named by the table of bases; `floats` of it at the returned offset. */
  states(floats: number, fill: () => number): { offset: number; addresses: number[] } {
    const offset = 32;
    const table = this.allocate(4 * this.batch);
    this.i32[memoryMap.bases >> 2] = table;
    const addresses = Array.from({ length: this.batch }, (_, b) => {
      const block = this.allocate(offset + 4 * floats);
      this.i32[(table >> 2) + b] = block;
      for (let i = 0; i < floats; i++) this.f32[((block + offset) >> 2) + i] = fill();
      return block + offset;
    });
    return { offset, addresses };
  }

  /** States the law fixes; not a float may be written beyond. */
  fixStates(addresses: readonly number[], floats: number): void {
    for (const at of addresses) this.fix(at, floats, 4 * floats);
  }

  fix(at: number, floats: number, room: number, bytes = 0): void {
    this.outputs.push({ at, floats, bytes });
    this.writable.push({ at, end: at + room });
  }

  /** The image's program: the instructions and `end`. Returns its address. */
  program(instructions: readonly (readonly [Opcode, Operands])[]): number {
    const words = [...instructions, ['end', {}] as const].flatMap(([op, operands]) => encode(op, operands));
    return this.constant(Int32Array.from(words));
  }
}

const floatView = new Float32Array(1);
const bitView = new Int32Array(floatView.buffer);

function bitsOf(value: number): number {
  floatView[0] = value;
  return bitView[0]!;
}

export function encode(op: Opcode, operands: Operands): number[] {
  const words = instructionSet[op].flatMap(([name, kind]) => {
    const value = operands[name] ?? (kind === 'ref' ? [0, 0] : 0);
    if (typeof value !== 'number') return [...value];
    return [kind === 'float' ? bitsOf(value) : value];
  });
  return [opcodeNames.indexOf(op) | (instructionWords(op) << 8), ...words];
}

/** Where two images differ in what the law fixes; undefined where nowhere. */
export function firstDifference({ outputs }: Image, expected: ArrayBuffer, found: ArrayBuffer): string | undefined {
  const floats = [new Float32Array(expected), new Float32Array(found)] as const;
  const bits = [new Int32Array(expected), new Int32Array(found)] as const;
  const bytes = [new Uint8Array(expected), new Uint8Array(found)] as const;
  for (const [index, output] of outputs.entries()) {
    for (let i = 0; i < output.floats; i++) {
      const word = (output.at >> 2) + i;
      const [a, b] = [floats[0][word]!, floats[1][word]!];
      if (Number.isNaN(a) && Number.isNaN(b)) continue;
      if (bits[0][word] !== bits[1][word]) return `output ${index}, float ${i}: expected ${a}, found ${b}`;
    }
    for (let i = output.at; i < output.at + output.bytes; i++) {
      if (bytes[0][i] !== bytes[1][i]) {
        return `output ${index}, byte ${i - output.at}: expected ${bytes[0][i]}, found ${bytes[1][i]}`;
      }
    }
  }
  return undefined;
}

/** The first word that changed where nothing may be written; undefined where none did. */
export function firstStray({ writable, u8, i32 }: Image, found: ArrayBuffer): string | undefined {
  const after = new Uint8Array(found.slice(0));
  for (const { at, end } of writable) after.set(u8.subarray(at, end), at);
  const words = new Int32Array(after.buffer);
  for (let i = 0; i < i32.length; i++) if (words[i] !== i32[i]) return `the word at ${4 * i} was changed`;
  return undefined;
}
