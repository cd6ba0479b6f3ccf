import { productInstructions } from './product-opcodes.ts';

/**
 * The instruction set: what a program may do to its memory image. Every engine implements exactly this list; the
 * reference engine (engine/reference) is the readable statement of each instruction, docs/instructions.md the prose.
 *
 * An instruction is a header word (opcode | words << 8, the header counted) and its operands, 32-bit words each:
 *
 * - `rows`   byte address of a register; the instruction works on B · register rows
 * - `ref`    two words: byte offset of row 0 and bytes from row to row. Offset 0 means absent. Inside a scan a negative
 *            second word −s marks a sequence [B, T, …]: row b of step t is at offset + (b·T + t)·s
 * - `addr`   byte offset of constant data (or of a register); 0 means absent
 * - `state`  byte offset inside the stream's state block
 * - `int`, `float`  literals
 *
 * Row r of a sequence buffer is batch element ⌊r/T⌋, step r mod T. `n` counts floats; buffers are padded so that kernels
 * may read and write up to the next multiple of 16 floats of a row; what lies there has no meaning. The instructions
 * that only move data (copy, fill, embed, pick, gather, reshape, transpose, unfold, loadState, storeState) write
 * exactly n floats, and nothing is ever written past n in a state. Source and destination may be the same rows (element i of the
 * result then replaces element i), but may not overlap otherwise.
 *
 * Inside a scan every instruction works on B rows (the `rows` register must hold 1). Sums begin with +0, maxima
 * "m < x ? x : m" with −∞, so that NaN does not count. NaN means any NaN: its payload and sign have no meaning.
 */
export const instructionSet = {
  end: [],
  /** Runs the following `bytes` of instructions once per step: forward (0) or backward (1: t = T − 1 … 0). */
  scan: [
    ['steps', 'addr'],
    ['backward', 'int'],
    ['bytes', 'int'],
  ],
  /** dst ← the stream's state, n floats per batch element. */
  loadState: [
    ['dst', 'ref'],
    ['state', 'state'],
    ['n', 'int'],
  ],
  storeState: [
    ['src', 'ref'],
    ['state', 'state'],
    ['n', 'int'],
  ],
  copy: [
    ['rows', 'rows'],
    ['src', 'ref'],
    ['dst', 'ref'],
    ['n', 'int'],
  ],
  fill: [
    ['rows', 'rows'],
    ['dst', 'ref'],
    ['n', 'int'],
    ['value', 'float'],
  ],
  ...productInstructions,
  /**
   * Rows of a table by id (a float32 holding a whole number). An id outside 0 … vocabulary − 1, or not whole, sets the
   * error word to 1, the word after it to the id (the last such id stays), and gives zeros. Rows of `stride` bytes,
   * float32 or (scales given) int8: value = q·scale [+ offset], both per row of the table.
   */
  embed: [
    ['rows', 'rows'],
    ['src', 'ref'],
    ['dst', 'ref'],
    ['n', 'int'],
    ['vocabulary', 'int'],
    ['table', 'addr'],
    ['stride', 'int'],
    ['scales', 'addr'],
    ['offsets', 'addr'],
  ],
  /** dst ← f(src); `function` numbers as in numerics/activation.ts. */
  unary: [
    ['rows', 'rows'],
    ['src', 'ref'],
    ['dst', 'ref'],
    ['n', 'int'],
    ['function', 'int'],
    ['p0', 'float'],
    ['p1', 'float'],
    ['p2', 'float'],
  ],
  /** add 0, subtract 1, multiply 2, divide 3, maximum 4 (a < b ? b : a), minimum 5 (b < a ? b : a). A stride of 0 repeats a row. */
  binary: [
    ['rows', 'rows'],
    ['a', 'ref'],
    ['b', 'ref'],
    ['dst', 'ref'],
    ['n', 'int'],
    ['function', 'int'],
  ],
  /** x > 0: x; else slope·x. */
  prelu: [
    ['rows', 'rows'],
    ['src', 'ref'],
    ['dst', 'ref'],
    ['n', 'int'],
    ['slope', 'addr'],
  ],
  /** e = exp(d < −64 ? −64 : d), d = x − max (from −∞, m < x ? x : m: NaN does not count); y = e/Σe. */
  softmax: [
    ['rows', 'rows'],
    ['src', 'ref'],
    ['dst', 'ref'],
    ['n', 'int'],
  ],
  /**
   * layer 0: d = x − Σx/n, r = 1/√(Σd²/n + epsilon), y = d·r; rms 1: y = x·(1/√(Σx²/n + epsilon)); unit 2:
   * y = x·(1/√s), s = Σx² < epsilon ? epsilon : Σx². Sums: element i goes to lane i mod 4, then (s0+s1)+(s2+s3), here
   * and in softmax. Then y·gamma, then y + beta, where given.
   */
  normalize: [
    ['rows', 'rows'],
    ['src', 'ref'],
    ['dst', 'ref'],
    ['n', 'int'],
    ['kind', 'int'],
    ['epsilon', 'float'],
    ['gamma', 'addr'],
    ['beta', 'addr'],
  ],
  /** One float a row: 1 where any of n floats ≠ value (NaN is), else 0. */
  mask: [
    ['rows', 'rows'],
    ['src', 'ref'],
    ['dst', 'ref'],
    ['n', 'int'],
    ['value', 'float'],
  ],
  /** dst ← mask's first float ≠ 0 ? a : b (zeros where b is absent). */
  select: [
    ['rows', 'rows'],
    ['mask', 'ref'],
    ['a', 'ref'],
    ['b', 'ref'],
    ['dst', 'ref'],
    ['n', 'int'],
  ],
  /**
   * Row (b, j) of dst ← row (b, i) of src, i = origin + ⌊j/divide⌋·step, plus inRows − 1 where `fromEnd`; zeros where
   * there is no row i.
   */
  pick: [
    ['outRows', 'addr'],
    ['inRows', 'addr'],
    ['src', 'ref'],
    ['dst', 'ref'],
    ['n', 'int'],
    ['origin', 'int'],
    ['step', 'int'],
    ['divide', 'int'],
    ['fromEnd', 'int'],
  ],
  /** Per batch element, inRows·nIn floats in order become outRows·nOut floats (equal counts). */
  reshape: [
    ['inRows', 'addr'],
    ['outRows', 'addr'],
    ['src', 'ref'],
    ['dst', 'ref'],
    ['nIn', 'int'],
    ['nOut', 'int'],
  ],
  /** Element i of dst ← element index(i) of the same row of src, i < n; `indices` are int32. */
  gather: [
    ['rows', 'rows'],
    ['src', 'ref'],
    ['dst', 'ref'],
    ['n', 'int'],
    ['indices', 'addr'],
  ],
  /** Row (b, i) of dst, element t ← row (b, t) of src, element i, i < n. */
  transpose: [
    ['inRows', 'addr'],
    ['src', 'ref'],
    ['dst', 'ref'],
    ['n', 'int'],
  ],
  /**
   * Window j starts at input row first + j·stride (negative rows lie in the stream's history of reach − 1 rows of n
   * floats, reach = (size − 1)·dilation + 1, the last of them just before row 0; rows before it and past the end are
   * zero); its taps, `dilation` rows apart, are laid side by side, size·n floats. Then the history takes the last
   * reach − 1 rows of history and input.
   */
  unfold: [
    ['outRows', 'addr'],
    ['inRows', 'addr'],
    ['first', 'addr'],
    ['src', 'ref'],
    ['dst', 'ref'],
    ['state', 'state'],
    ['n', 'int'],
    ['size', 'int'],
    ['dilation', 'int'],
    ['stride', 'int'],
  ],
  /** Over `size` taps side by side, in order: max 0 (m < x ? x : m), mean 1 (sum/size). */
  reduceTaps: [
    ['rows', 'rows'],
    ['src', 'ref'],
    ['dst', 'ref'],
    ['n', 'int'],
    ['size', 'int'],
    ['function', 'int'],
  ],
  /**
   * As unfold + reduceTaps over a whole sequence, `left` rows of padding before it; padding does not count: window j has
   * the rows j·stride − left + (0 … size − 1) that exist.
   */
  pool: [
    ['outRows', 'addr'],
    ['inRows', 'addr'],
    ['src', 'ref'],
    ['dst', 'ref'],
    ['n', 'int'],
    ['size', 'int'],
    ['stride', 'int'],
    ['left', 'int'],
    ['function', 'int'],
  ],
  /** Over the steps of each batch element, in order: max 0, mean 1 (sum/count), sum 2; steps whose mask is 0 do not count. */
  reduceTime: [
    ['inRows', 'addr'],
    ['src', 'ref'],
    ['mask', 'ref'],
    ['dst', 'ref'],
    ['n', 'int'],
    ['function', 'int'],
  ],
  /**
   * z holds four gates of `gate` floats: i, f, o, g. c ← σ(f)·c + σ(i)·tanh(g), h ← σ(o)·tanh(c), n floats. Rows are B.
   */
  lstm: [
    ['z', 'ref'],
    ['c', 'ref'],
    ['h', 'ref'],
    ['n', 'int'],
    ['gate', 'int'],
  ],
  /** Gates z, r, n of `gate` floats: z = σ(pre+u), r = σ(pre+u), n = tanh(pre + r·u), dst ← z·h + (1 − z)·n. Rows are B. */
  gru: [
    ['pre', 'ref'],
    ['u', 'ref'],
    ['h', 'ref'],
    ['dst', 'ref'],
    ['n', 'int'],
    ['gate', 'int'],
  ],
} as const satisfies Record<string, readonly (readonly [string, OperandKind])[]>;

export type OperandKind = 'rows' | 'ref' | 'addr' | 'state' | 'int' | 'float';
export type Opcode = keyof typeof instructionSet;
export const opcodeNames = Object.keys(instructionSet) as Opcode[];

/** Words of an instruction, header included. */
export function instructionWords(op: Opcode): number {
  return instructionSet[op].reduce((sum, [, kind]) => sum + (kind === 'ref' ? 2 : 1), 1);
}

/** Fixed words at the start of the image. Registers (rows of each time class, then window starts) follow. */
export const memoryMap = {
  /** 0: no error; 1: an id outside its table, which stands in the next word as a float. */
  error: 0,
  errorValue: 4,
  /** B. */
  batch: 8,
  /** Byte address of a table of B state block addresses. */
  bases: 12,
  registers: 16,
} as const;
