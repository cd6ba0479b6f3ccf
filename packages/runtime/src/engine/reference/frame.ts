import { instructionSet, memoryMap, type Opcode, opcodeNames } from '../../lower/index.ts';

/** A row-addressed operand: word index of row 0 and words from row to row. */
export interface Rows {
  readonly at: number;
  readonly stride: number;
  readonly absent: boolean;
}

/** One instruction, decoded, over the memory it works on. */
export class Frame {
  readonly f32: Float32Array;
  readonly i32: Int32Array;
  readonly i16: Int16Array;
  readonly i8: Int8Array;
  readonly u8: Uint8Array;
  readonly op: Opcode;
  readonly words: number;
  private readonly at: number;
  private readonly step: number;
  private readonly steps: number;
  private readonly places: Readonly<Record<string, number>>;

  /** `at` is the header's word index; `step` of `steps` where a scan is running, else −1. */
  constructor(buffer: ArrayBuffer, at: number, step: number, steps: number) {
    this.f32 = new Float32Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.i16 = new Int16Array(buffer);
    this.i8 = new Int8Array(buffer);
    this.u8 = new Uint8Array(buffer);
    this.at = at;
    this.step = step;
    this.steps = steps;
    const header = this.i32[at]!;
    this.op = opcodeNames[header & 255]!;
    this.words = header >> 8;
    this.places = operandPlaces[this.op];
  }

  get batch(): number {
    return this.i32[memoryMap.batch >> 2]!;
  }

  int(name: string): number {
    return this.i32[this.at + this.places[name]!]!;
  }

  float(name: string): number {
    return this.f32[this.at + this.places[name]!]!;
  }

  /** Rows the instruction works on. */
  get rows(): number {
    return this.batch * this.register('rows');
  }

  register(name: string): number {
    return this.i32[this.int(name) >> 2]!;
  }

  ref(name: string): Rows {
    const offset = this.i32[this.at + this.places[name]!]!;
    const stride = this.i32[this.at + this.places[name]! + 1]!;
    const absent = offset === 0;
    if (stride >= 0) return { at: offset >> 2, stride: stride >> 2, absent };
    const row = -stride >> 2;
    return { at: (offset >> 2) + this.step * row, stride: row * this.steps, absent };
  }

  /** Word index of batch element b's state. */
  state(b: number): number {
    const base = this.i32[(this.i32[memoryMap.bases >> 2]! >> 2) + b]!;
    return (base + this.int('state')) >> 2;
  }

  reportId(id: number): void {
    this.i32[memoryMap.error >> 2] = 1;
    this.f32[memoryMap.errorValue >> 2] = id;
  }
}

/** Word offset of each operand from the header. */
const operandPlaces = Object.fromEntries(
  Object.entries(instructionSet).map(([op, operands]) => {
    const places: Record<string, number> = {};
    let at = 1;
    for (const [name, kind] of operands) {
      places[name] = at;
      at += kind === 'ref' ? 2 : 1;
    }
    return [op, places];
  }),
) as Record<Opcode, Record<string, number>>;
