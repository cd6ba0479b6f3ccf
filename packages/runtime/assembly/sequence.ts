import { Gather, Pick, Reshape, Transpose, Unfold } from './generated/opcodes';
import { address, base, batchSize, int, register, rowCount, stateOf, stride } from './operands';
import { copyFloats, fillFloats } from './rows';

// Instructions that move rows in time. Row (b, t) of a buffer stands at (b·rows + t)·stride.

export function pick(pc: usize): void {
  const outRows = register(pc + Pick.outRows);
  const inRows = register(pc + Pick.inRows);
  const n = int(pc + Pick.n);
  const origin = int(pc + Pick.origin) + (int(pc + Pick.fromEnd) ? inRows - 1 : 0);
  const step = int(pc + Pick.step);
  const divide = int(pc + Pick.divide);
  const srcStride = stride(pc + Pick.src);
  const dstStride = stride(pc + Pick.dst);
  let x = base(pc + Pick.src);
  let y = base(pc + Pick.dst);
  for (let b = batchSize(); b > 0; b--, x += inRows * srcStride) {
    for (let j = 0; j < outRows; j++, y += dstStride) {
      const i = origin + (j / divide) * step;
      if (<u32>i < <u32>inRows) copyFloats(y, x + i * srcStride, n);
      else fillFloats(y, 0, n);
    }
  }
}

export function gather(pc: usize): void {
  const n = int(pc + Gather.n);
  const indices = address(pc + Gather.indices);
  const srcStride = stride(pc + Gather.src);
  const dstStride = stride(pc + Gather.dst);
  let x = base(pc + Gather.src);
  let y = base(pc + Gather.dst);
  for (let rows = rowCount(pc + Gather.rows); rows > 0; rows--, x += srcStride, y += dstStride) {
    for (let i: usize = 0; i < <usize>n; i++) {
      store<f32>(y + (i << 2), load<f32>(x + (<usize>load<i32>(indices + (i << 2)) << 2)));
    }
  }
}

export function reshape(pc: usize): void {
  const batch = batchSize();
  const nIn = int(pc + Reshape.nIn);
  const nOut = int(pc + Reshape.nOut);
  const srcStride = stride(pc + Reshape.src);
  const dstStride = stride(pc + Reshape.dst);
  let x = base(pc + Reshape.src);
  let y = base(pc + Reshape.dst);
  // Both sides hold the same floats, so the batch may be walked as one sequence of runs inside a row of each.
  let left = batch * register(pc + Reshape.outRows) * nOut;
  let inLeft = nIn;
  let outLeft = nOut;
  while (left > 0) {
    const run = min(inLeft, outLeft);
    copyFloats(y + (<usize>(nOut - outLeft) << 2), x + (<usize>(nIn - inLeft) << 2), run);
    left -= run;
    inLeft -= run;
    outLeft -= run;
    if (inLeft == 0) {
      inLeft = nIn;
      x += srcStride;
    }
    if (outLeft == 0) {
      outLeft = nOut;
      y += dstStride;
    }
  }
}

export function transpose(pc: usize): void {
  const inRows = register(pc + Transpose.inRows);
  const n = int(pc + Transpose.n);
  const srcStride = stride(pc + Transpose.src);
  const dstStride = stride(pc + Transpose.dst);
  let x = base(pc + Transpose.src);
  let y = base(pc + Transpose.dst);
  for (let b = batchSize(); b > 0; b--, x += inRows * srcStride) {
    for (let i = 0; i < n; i++, y += dstStride) {
      let from = x + (<usize>i << 2);
      for (let t = 0; t < inRows; t++, from += srcStride) store<f32>(y + (<usize>t << 2), load<f32>(from));
    }
  }
}

/** The history moves on: its last rows and then the input's. */
function advanceHistory(history: usize, kept: i32, x: usize, srcStride: usize, inRows: i32, n: i32): void {
  const rowBytes = <usize>n << 2;
  const stays = max(kept - inRows, 0);
  copyFloats(history, history + (kept - stays) * rowBytes, stays * n);
  for (let h = stays; h < kept; h++) copyFloats(history + h * rowBytes, x + (inRows - kept + h) * srcStride, n);
}

export function unfold(pc: usize): void {
  const outRows = register(pc + Unfold.outRows);
  const inRows = register(pc + Unfold.inRows);
  const first = register(pc + Unfold.first);
  const n = int(pc + Unfold.n);
  const size = int(pc + Unfold.size);
  const dilation = int(pc + Unfold.dilation);
  const hop = int(pc + Unfold.stride);
  const srcStride = stride(pc + Unfold.src);
  const dstStride = stride(pc + Unfold.dst);
  let x = base(pc + Unfold.src);
  let y = base(pc + Unfold.dst);
  const batch = batchSize();
  const kept = (size - 1) * dilation;
  const rowBytes = <usize>n << 2;
  for (let b = 0; b < batch; b++, x += inRows * srcStride) {
    const history = stateOf(b, pc + Unfold.state);
    for (let j = 0; j < outRows; j++, y += dstStride) {
      let row = first + j * hop;
      let to = y;
      for (let tap = 0; tap < size; tap++, row += dilation, to += rowBytes) {
        if (<u32>row < <u32>inRows) copyFloats(to, x + row * srcStride, n);
        else if (row < 0 && row >= -kept) copyFloats(to, history + (row + kept) * rowBytes, n);
        else fillFloats(to, 0, n);
      }
    }
    advanceHistory(history, kept, x, srcStride, inRows, n);
  }
}
