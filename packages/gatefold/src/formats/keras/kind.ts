import type { LayerCall } from './call.ts';
import type { LayerSpec } from './config.ts';
import type { Value } from './values.ts';
import type { KerasVersion } from './version.ts';

/** A variable of a layer itself. */
export interface OwnVariable {
  readonly role: string;
  /** Sub-object in our addresses: `forward`. */
  readonly part?: string;
  /** Sub-object in the layout of Keras 3: `forward_layer/cell`. */
  readonly at?: string;
  /** Its number there. */
  readonly index: number;
  readonly trainable?: boolean;
  /** Holds nothing that inference needs. */
  readonly unused?: boolean;
}

/** What the reader knows about a class of layers. */
export interface LayerKind {
  /** In the order in which Keras makes them. */
  variables?(layer: LayerSpec, version: KerasVersion): readonly OwnVariable[];
  /** A wrapped layer whose variables are the wrapper's. */
  wrapped?(layer: LayerSpec): LayerSpec;
  /** Adds the nodes of one call; returns the layer's outputs. */
  call(call: LayerCall): readonly Value[];
  /** Treats every row of features alone, so that TimeDistributed changes nothing. */
  readonly rowwise?: boolean;
}

/** Layers of one family by class. */
export type LayerKinds = Readonly<Record<string, LayerKind>>;

/** Variables of the layer itself, in order; false where an option leaves one out. */
export function own(...roles: readonly (string | false)[]): OwnVariable[] {
  return roles.filter((role) => role !== false).map((role, index) => ({ role, index }));
}
