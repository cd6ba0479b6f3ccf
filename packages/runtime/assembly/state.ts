import { LoadState, StoreState } from './generated/opcodes';
import { base, batchSize, int, stateOf, stride } from './operands';
import { copyFloats } from './rows';

export function loadState(pc: usize): void {
  const n = int(pc + LoadState.n);
  const dstStride = stride(pc + LoadState.dst);
  let y = base(pc + LoadState.dst);
  const batch = batchSize();
  for (let b = 0; b < batch; b++, y += dstStride) copyFloats(y, stateOf(b, pc + LoadState.state), n);
}

export function storeState(pc: usize): void {
  const n = int(pc + StoreState.n);
  const srcStride = stride(pc + StoreState.src);
  let x = base(pc + StoreState.src);
  const batch = batchSize();
  for (let b = 0; b < batch; b++, x += srcStride) copyFloats(stateOf(b, pc + StoreState.state), x, n);
}
