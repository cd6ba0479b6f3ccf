/** A tensor while the graph is built: the value's name and the mask that travels with it. */
export interface KerasTensor {
  readonly value: string;
  /** Name of a [batch, time, 1] value that is not 0 where the step counts. */
  readonly mask?: string | undefined;
  /** Ids, one per step, of an input that Keras sees as one vector. */
  readonly ids?: boolean | undefined;
  /** A truth of Keras 3's mask arithmetic instead of numbers; `value` is empty then. */
  readonly truth?: Truth | undefined;
}

/**
 * What a true-or-false tensor says of each step, asked whether any of its features is true: somewhere among these masks,
 * or always. That is all that masks are used for, and "or", joining and broadcasting keep it.
 */
export interface Truth {
  readonly masks: readonly string[];
  readonly always: boolean;
}
