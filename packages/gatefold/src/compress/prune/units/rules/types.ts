import type { Attributes, Node, OpContext } from '@gatefold/runtime';
import type { Atoms, Channels } from '../channels.ts';

/** What a rule is told of its node. */
export interface Tracing {
  readonly node: Node;
  readonly channels: Channels;
  /** Shapes, attributes and time classes of the node. */
  readonly op: OpContext;
  /** The channel of every feature of an input; inner dimensions row-major. */
  input(name: string): Atoms;
  optional(name: string): Atoms | undefined;
  /** Inputs named "0", "1", … */
  list(): Atoms[];
  /** Says that the node makes these features: a layer that units may be removed from. */
  layer(axis: UnitAxis, units: Atoms): void;
}

/** Which of a node's features: the units of a layer, or the outputs of a cell's projection. */
export type UnitAxis = 'units' | 'output';

export interface Traced {
  /** The channel of every feature of the outputs. */
  readonly outputs: Readonly<Record<string, Atoms>>;
  /** The node's attributes where only some channels stay; absent where they do not depend on widths. */
  readonly attributes?: (stays: (atom: number) => boolean) => Attributes;
}

/**
 * How an op hands channels through. Features of the result that stand for features of an input have their atoms; weights are
 * bound to the atoms that their rows and columns belong to; what must stay is pinned, with the reason.
 */
export type ChannelRule = (at: Tracing) => Traced;
