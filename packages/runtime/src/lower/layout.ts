import { fail } from '../errors/index.ts';
import { hasTime, type TimeClass } from '../model/index.ts';
import { roundUp } from '../tensor/index.ts';
import { instructionSet, instructionWords, memoryMap, opcodeNames } from './opcodes.ts';
import { planBuffers } from './plan.ts';
import type { Instruction, Operand, Program } from './program.ts';

/** How large a call the image must hold. */
export interface Shape {
  readonly batch: number;
  /** Steps per call of each time-bearing input. */
  readonly steps: Readonly<Record<string, number>>;
  /** Streams that keep their state in the image. */
  readonly slots: number;
}

/** Where everything of a program lies in memory, and its instructions with addresses filled in. */
export interface Layout {
  readonly bytes: number;
  readonly rowsAt: number;
  readonly firstAt: number;
  readonly constantsAt: number;
  readonly codeAt: number;
  readonly code: Int32Array;
  readonly basesAt: number;
  readonly buffersAt: readonly number[];
  readonly statesAt: number;
  /** Bytes from one stream's state block to the next. */
  readonly stateStride: number;
}

/** The most rows a class can have in one call of at most `steps` steps. */
function mostRows(times: readonly TimeClass[], steps: Readonly<Record<string, number>>): number[] {
  const rows: number[] = [];
  for (const time of times) {
    switch (time.kind) {
      case 'port':
        rows.push(steps[time.port] ?? 1);
        break;
      case 'fixed':
        rows.push(time.length);
        break;
      case 'window':
        rows.push(Math.ceil((rows[time.of]! + time.left + time.right) / time.stride) + 1);
        break;
      case 'shift':
        rows.push(rows[time.of]! + Math.max(0, time.left) + Math.max(0, time.right));
        break;
      case 'repeat':
        rows.push(rows[time.of]! * time.times);
        break;
      default:
        rows.push(1);
    }
  }
  return rows;
}

/**
 * Lays a program out for calls up to the given shape. Constants and code keep their place whatever the shape is, so
 * that growing moves only buffers and states.
 * @throws MEMORY_LIMIT where the image would exceed `limit` bytes
 */
export function layout(program: Program, shape: Shape, limit: number): Layout {
  const count = program.times.length;
  const rowsAt = memoryMap.registers;
  const firstAt = rowsAt + 4 * count;
  const constantsAt = roundUp(firstAt + 4 * count, 16);
  const codeAt = constantsAt + program.constants.length;
  const basesAt = roundUp(codeAt + codeWords(program) * 4, 16);
  const buffersStart = roundUp(basesAt + 4 * shape.batch, 16);
  const rows = mostRows(program.times, shape.steps);
  const sizes = program.buffers.map(({ time, width }) => shape.batch * rows[time]! * width * 4);
  const plan = planBuffers(program, sizes);
  const buffersAt = plan.offsets.map((offset) => buffersStart + offset);
  const statesAt = buffersStart + plan.bytes;
  const stateStride = roundUp(program.stateBytes, 16);
  // Kernels may read a whole vector past the last row.
  const bytes = statesAt + stateStride * shape.slots + 64;
  if (bytes > limit) {
    fail('MEMORY_LIMIT', 'the call needs more memory than the limit', {
      expected: `at most ${limit} bytes`,
      found: `${bytes} bytes for a batch of ${shape.batch}, ${Math.max(...rows)} steps and ${shape.slots} streams`,
      hint: 'use a smaller batch or shorter sequences, or raise maxBytes',
    });
  }
  const places = { rowsAt, firstAt, constantsAt, buffersAt };
  return {
    bytes,
    ...places,
    codeAt,
    code: assemble(program, places),
    basesAt,
    statesAt,
    stateStride,
  };
}

function codeWords({ blocks }: Program): number {
  let words = instructionWords('end');
  for (const block of blocks) {
    if (block.kind === 'scan') words += instructionWords('scan');
    for (const { op } of block.instructions) words += instructionWords(op);
  }
  return words;
}

type Places = Pick<Layout, 'rowsAt' | 'firstAt' | 'constantsAt' | 'buffersAt'>;

function assemble(program: Program, places: Places): Int32Array {
  const words: number[] = [];
  const write = (instruction: Instruction, inScan: boolean) => {
    words.push(opcodeNames.indexOf(instruction.op) | (instructionWords(instruction.op) << 8));
    for (const [name, kind] of instructionSet[instruction.op]) {
      const operand = instruction.operands[name];
      if (kind === 'ref') words.push(...refWords(program, places, operand, inScan));
      else if (kind === 'float') words.push(floatBits(operand && 'value' in operand ? operand.value : 0));
      else words.push(word(places, operand));
    }
  };
  for (const block of program.blocks) {
    if (block.kind === 'scan') {
      const bytes = block.instructions.reduce((sum, { op }) => sum + instructionWords(op) * 4, 0);
      const operands = {
        steps: { rowsOf: block.time },
        backward: { value: block.backward ? 1 : 0 },
        bytes: { value: bytes },
      };
      write({ op: 'scan', operands }, false);
    }
    for (const instruction of block.instructions) write(instruction, block.kind === 'scan');
  }
  write({ op: 'end', operands: {} }, false);
  return Int32Array.from(words);
}

function word({ rowsAt, firstAt, constantsAt }: Places, operand: Operand): number {
  if (operand === undefined) return 0;
  if ('addr' in operand) return constantsAt + operand.addr;
  if ('rowsOf' in operand) return rowsAt + 4 * operand.rowsOf;
  if ('firstOf' in operand) return firstAt + 4 * operand.firstOf;
  if ('state' in operand) return operand.state;
  if ('value' in operand) return operand.value;
  return fail('MODEL_INVALID', 'a program operand has the wrong kind');
}

function refWords(
  { buffers, times }: Program,
  { constantsAt, buffersAt }: Places,
  operand: Operand,
  inScan: boolean,
): [number, number] {
  if (operand === undefined) return [0, 0];
  if ('constant' in operand) return [constantsAt + operand.constant, 0];
  if (!('ref' in operand)) return fail('MODEL_INVALID', 'a program operand has the wrong kind');
  const { buffer, offset } = operand.ref;
  const { time, width } = buffers[buffer]!;
  const stride = width * 4;
  return [buffersAt[buffer]! + offset * 4, inScan && hasTime(times[time]!) ? -stride : stride];
}

const floatView = new Float32Array(1);
const bitsView = new Int32Array(floatView.buffer);

function floatBits(value: number): number {
  floatView[0] = value;
  return bitsView[0]!;
}
