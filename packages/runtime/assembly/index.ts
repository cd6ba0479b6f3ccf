import { lstm, gru } from './cells';
import { csrF32 } from './csr';
import { binary, copy, fill, mask, prelu, select, unary } from './elementwise';
import { embed } from './embed';
import * as Op from './generated/opcodes';
import { linearCodes, linearF32 } from './linear-float';
import { linearI4, linearI8 } from './linear-int';
import { normalize, softmax } from './normalize';
import { enterScan, int, leaveScan, register, setStep } from './operands';
import { pool, reduceTaps, reduceTime } from './pooling';
import { quantize } from './quantize';
import { gather, pick, reshape, transpose, unfold } from './sequence';
import { sparseF32 } from './sparse-float';
import { sparseI4, sparseI8 } from './sparse-int';
import { loadState, storeState } from './state';

/** Executes the instructions from `pc` to `end`, or to the `end` instruction. */
function execute(pc: usize, end: usize): void {
  while (pc < end) {
    const header = load<u32>(pc);
    switch (header & 255) {
      case Op.Scan.opcode: {
        const body = pc + (<usize>(header >> 8) << 2);
        const bytes = <usize>int(pc + Op.Scan.bytes);
        scan(register(pc + Op.Scan.steps), int(pc + Op.Scan.backward), body, body + bytes);
        pc += bytes;
        break;
      }
      case Op.LoadState.opcode:
        loadState(pc);
        break;
      case Op.StoreState.opcode:
        storeState(pc);
        break;
      case Op.Copy.opcode:
        copy(pc);
        break;
      case Op.Fill.opcode:
        fill(pc);
        break;
      case Op.LinearF32.opcode:
        linearF32(pc);
        break;
      case Op.LinearCodes.opcode:
        linearCodes(pc);
        break;
      case Op.Quantize.opcode:
        quantize(pc);
        break;
      case Op.LinearI8.opcode:
        linearI8(pc);
        break;
      case Op.LinearI4.opcode:
        linearI4(pc);
        break;
      case Op.SparseF32.opcode:
        sparseF32(pc);
        break;
      case Op.SparseI8.opcode:
        sparseI8(pc);
        break;
      case Op.SparseI4.opcode:
        sparseI4(pc);
        break;
      case Op.CsrF32.opcode:
        csrF32(pc);
        break;
      case Op.Embed.opcode:
        embed(pc);
        break;
      case Op.Unary.opcode:
        unary(pc);
        break;
      case Op.Binary.opcode:
        binary(pc);
        break;
      case Op.Prelu.opcode:
        prelu(pc);
        break;
      case Op.Softmax.opcode:
        softmax(pc);
        break;
      case Op.Normalize.opcode:
        normalize(pc);
        break;
      case Op.Mask.opcode:
        mask(pc);
        break;
      case Op.Select.opcode:
        select(pc);
        break;
      case Op.Pick.opcode:
        pick(pc);
        break;
      case Op.Gather.opcode:
        gather(pc);
        break;
      case Op.Reshape.opcode:
        reshape(pc);
        break;
      case Op.Transpose.opcode:
        transpose(pc);
        break;
      case Op.Unfold.opcode:
        unfold(pc);
        break;
      case Op.ReduceTaps.opcode:
        reduceTaps(pc);
        break;
      case Op.Pool.opcode:
        pool(pc);
        break;
      case Op.ReduceTime.opcode:
        reduceTime(pc);
        break;
      case Op.Lstm.opcode:
        lstm(pc);
        break;
      case Op.Gru.opcode:
        gru(pc);
        break;
      default:
        return;
    }
    pc += <usize>(header >> 8) << 2;
  }
}

function scan(steps: i32, backward: i32, from: usize, to: usize): void {
  enterScan(steps);
  for (let i = 0; i < steps; i++) {
    setStep(backward ? steps - 1 - i : i);
    execute(from, to);
  }
  leaveScan();
}

export function run(pc: usize): void {
  execute(pc, usize.MAX_VALUE);
}
