import { MemoryMap } from './generated/memory-map';

// How an instruction's operands are read. Inside a scan, `step` and `steps` are the current step t and T.

let scanning: bool = false;
let step: i32 = 0;
let steps: i32 = 1;

export function enterScan(count: i32): void {
  scanning = true;
  steps = count;
}

export function setStep(t: i32): void {
  step = t;
}

export function leaveScan(): void {
  scanning = false;
}

@inline
export function int(operand: usize): i32 {
  return load<i32>(operand);
}

@inline
export function float(operand: usize): f32 {
  return load<f32>(operand);
}

@inline
export function address(operand: usize): usize {
  return load<usize>(operand);
}

/** The value of the register an operand names. */
@inline
export function register(operand: usize): i32 {
  return load<i32>(load<usize>(operand));
}

@inline
export function batchSize(): i32 {
  return load<i32>(MemoryMap.batch);
}

/** Rows an instruction works on. */
@inline
export function rowCount(operand: usize): i32 {
  const batch = batchSize();
  return scanning ? batch : batch * register(operand);
}

/** Address of a reference's first row; 0 where it is absent. */
@inline
export function base(operand: usize): usize {
  const offset = load<usize>(operand);
  const stride = load<i32>(operand, 4);
  return stride < 0 && offset != 0 ? offset + <usize>(step * -stride) : offset;
}

/** Bytes from one row of a reference to the next. */
@inline
export function stride(operand: usize): usize {
  const bytes = load<i32>(operand, 4);
  return <usize>(bytes < 0 ? steps * -bytes : bytes);
}

/** Address of a state field of batch element b. */
@inline
export function stateOf(b: i32, operand: usize): usize {
  return load<usize>(load<usize>(MemoryMap.bases) + (<usize>b << 2)) + load<usize>(operand);
}
