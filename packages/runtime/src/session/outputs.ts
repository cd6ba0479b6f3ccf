import type { Program, ProgramPort } from '../lower/index.ts';
import type { Tensor } from '../tensor/index.ts';
import type { Image } from './image.ts';
import { isSequencePort } from './ports.ts';

/** Copies rows out of their padded buffer. */
export function copyRows(image: Image, program: Program, port: ProgramPort, to: Float32Array, rows: number): void {
  const { f32 } = image;
  const base = image.layout.buffersAt[port.buffer]! >> 2;
  const stride = program.buffers[port.buffer]!.width;
  if (rows > 1 && stride === port.width) {
    to.set(f32.subarray(base, base + rows * stride));
    return;
  }
  for (let r = 0; r < rows; r++) {
    const from = base + r * stride;
    const at = r * port.width;
    for (let i = 0; i < port.width; i++) to[at + i] = f32[from + i]!;
  }
}

/**
 * Joins the outputs of consecutive chunks along time. A value without time of a sequence model is the latest; of a model
 * whose calls are steps it gets a time dimension.
 */
export function joinPieces(
  program: Program,
  batch: number,
  pieces: readonly Record<string, Tensor>[],
  sequential: boolean,
): Record<string, Tensor> {
  const out: Record<string, Tensor> = {};
  for (const port of program.outputs) {
    const timed = isSequencePort(program, port);
    const due = pieces.map((piece) => piece[port.name]!).filter((tensor) => tensor.data.length > 0);
    const latest = due.at(-1) ?? pieces.at(-1)![port.name]!;
    if ((!timed && sequential) || due.length === 0) {
      out[port.name] = latest;
      continue;
    }
    const perBatch = due.reduce((sum, tensor) => sum + tensor.data.length, 0) / batch;
    const data = new Float32Array(batch * perBatch);
    for (let b = 0; b < batch; b++) {
      let at = b * perBatch;
      for (const tensor of due) {
        const size = tensor.data.length / batch;
        data.set(tensor.data.subarray(b * size, (b + 1) * size), at);
        at += size;
      }
    }
    out[port.name] = { shape: [batch, perBatch / port.width, ...latest.shape.slice(timed ? 2 : 1)], data };
  }
  return out;
}

/** An output as the caller sees it; views and scratch are kept from call to call. */
export class View {
  readonly port: ProgramPort;
  private view = new Float32Array(0);
  private version = -1;
  private scratch = new Float32Array(0);

  constructor(port: ProgramPort) {
    this.port = port;
  }

  read(image: Image, batch: number, rows: number): Float32Array | undefined {
    const { port } = this;
    if (rows === 0) return undefined;
    if (batch * rows === 1) {
      if (this.version !== image.version) {
        const at = image.layout.buffersAt[port.buffer]! >> 2;
        this.view = image.f32.subarray(at, at + port.width);
        this.version = image.version;
      }
      return this.view;
    }
    const size = batch * rows * port.width;
    if (this.scratch.length !== size) this.scratch = new Float32Array(size);
    copyRows(image, image.program, port, this.scratch, batch * rows);
    return this.scratch;
  }
}
