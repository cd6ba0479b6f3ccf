import type { Graph } from '@gatefold/runtime';
import { rowsOf } from './backend/types.ts';
import type { CarriedState, Value } from './ops/index.ts';
import type { Tape, Var } from './tape.ts';

/** States by their names, [batch, width] each. */
export type NamedStates = Readonly<Record<string, Var>>;

/**
 * The states that nodes and state ports have while a batch goes through a model: what they begin with, and what they ended
 * with last, through which gradients go back.
 */
export class States {
  private readonly tape: Tape;
  private readonly batch: number;
  private readonly known: Map<string, NamedStates>;

  /** `carried` is what the batch before ended with: constants now (truncated backpropagation through time). */
  constructor(tape: Tape, batch: number, carried: ReadonlyMap<string, CarriedState>) {
    this.tape = tape;
    this.batch = batch;
    const { backend } = tape;
    this.known = new Map(
      [...carried]
        .filter(([, state]) => state.batch === batch)
        .map(([owner, { values }]) => [
          owner,
          Object.fromEntries(
            Object.entries(values).map(([name, numbers]) => {
              const m = backend.alloc(batch, numbers.length / batch);
              backend.write(m, numbers);
              return [name, tape.constant(m)];
            }),
          ),
        ]),
    );
  }

  /** Of one owner; undefined at the beginning. */
  of(owner: string): NamedStates | undefined {
    return this.known.get(owner);
  }

  set(owner: string, states: NamedStates): void {
    this.known.set(owner, states);
  }

  /** For the batch that follows. */
  carried(): Map<string, CarriedState> {
    const { batch, tape } = this;
    return new Map(
      [...this.known].map(([owner, states]) => {
        const values = Object.entries(states).map(([name, { value }]) => [name, tape.backend.read(value)]);
        return [owner, { batch, values: Object.fromEntries(values) }];
      }),
    );
  }
}

/** Step `t` alone. */
export function stepOf(tape: Tape, { v }: Value, batch: number, t: number): Value {
  return { v: tape.view(v, (m) => rowsOf(m, t * batch, batch)), steps: 1 };
}

/**
 * Whether a call of the model is one step: states go in and out by ports, and no input has time of its own. Over a sequence
 * such a model is called step by step, as a stream of the runtime does.
 */
export function isStepwise({ states, inputs }: Graph): boolean {
  return states.length > 0 && inputs.every(({ shape }) => shape.length === 2 && shape[1] !== 'time');
}
