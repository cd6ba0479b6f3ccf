import type { Port, TimeClass } from '../model/index.ts';
import type { Opcode } from './opcodes.ts';

/** A working array: B · rows(time) rows of `width` floats (a multiple of 16). */
export interface Buffer {
  readonly time: number;
  readonly width: number;
}

/** A place in a buffer: `offset` floats into each row. */
export interface Ref {
  readonly buffer: number;
  readonly offset: number;
}

/** An operand before addresses are known. */
export type Operand =
  | { readonly ref: Ref }
  /** A constant shared by all rows (row stride 0). */
  | { readonly constant: number }
  | { readonly addr: number }
  | { readonly rowsOf: number }
  | { readonly firstOf: number }
  | { readonly state: number }
  | { readonly value: number }
  | undefined;

export interface Instruction {
  readonly op: Opcode;
  readonly operands: Readonly<Record<string, Operand>>;
}

/** Rows at once over all batch × time rows; or a scan over the steps of one time class. */
export type Block =
  | { readonly kind: 'rows'; readonly instructions: readonly Instruction[] }
  | {
      readonly kind: 'scan';
      readonly time: number;
      readonly backward: boolean;
      readonly instructions: readonly Instruction[];
    };

export interface ProgramPort extends Port {
  readonly buffer: number;
  readonly time: number;
  /** Floats per row as the caller sees it. */
  readonly width: number;
}

/** A graph as a flat list of instructions over one memory image; addresses are given by the layout. */
export interface Program {
  readonly times: readonly TimeClass[];
  readonly buffers: readonly Buffer[];
  readonly blocks: readonly Block[];
  /** Packed weights; offsets in `constant` and `addr` operands point into it. */
  readonly constants: Uint8Array;
  /** Bytes of one stream's state block; all zero at the start of a stream. */
  readonly stateBytes: number;
  /** Parts of the state that streaming keeps but that start anew with every call on whole sequences. */
  readonly callStates: readonly { readonly at: number; readonly floats: number }[];
  readonly inputs: readonly ProgramPort[];
  readonly outputs: readonly ProgramPort[];
  /** Whether states travel through ports, so that a call must be one step. */
  readonly stepwise: boolean;
  /** Why the program needs whole sequences; empty where it streams. */
  readonly wholeReasons: readonly string[];
}
