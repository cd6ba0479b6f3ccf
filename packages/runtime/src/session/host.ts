import type { ProgramPort } from '../lower/index.ts';
import type { Tensor } from '../tensor/index.ts';
import type { Image } from './image.ts';
import type { Inputs, Numbers } from './ports.ts';

/** A stream as its session sees it. */
export interface StreamLike {
  /** Steps taken since the zero state. */
  position: number;
  /** The state slot, where the stream is open and of that session. */
  slotOf(session: StreamHost): number;
}

/** A session as its streams see it. */
export interface StreamHost {
  readonly image: Image;
  readonly inputs: readonly ProgramPort[];
  readonly streams: boolean;
  readonly fingerprint: number;
  step(streams: readonly StreamLike[], inputs: Inputs): void;
  callStep(streams: readonly StreamLike[], arrays: readonly Numbers[]): void;
  push(streams: readonly StreamLike[], inputs: Inputs): Record<string, Tensor>;
  output(name?: string): Float32Array | undefined;
}
