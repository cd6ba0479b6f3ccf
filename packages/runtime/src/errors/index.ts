/**
 * The one error class of Gatefold. Every refusal carries a stable code (listed in docs/errors.md, kept in step
 * by a test), the place it concerns, what was expected, what was found and what to do about it.
 */
export type ErrorCode =
  // files
  | 'FILE_FORMAT' // not a format that can be read, or not the one its name claims
  | 'FILE_TRUNCATED' // ends before a length it announced
  | 'FILE_CORRUPT' // a checksum, an offset or an internal rule does not hold
  | 'FILE_VERSION' // a known format in a version this build does not read
  | 'FILE_TOO_LARGE' // a length above the bound that protects memory
  | 'FILE_UNUSED' // the file holds tensors that nothing refers to
  | 'FILE_READ' // the operating system refused to read
  | 'FILE_WRITE' // the operating system refused to write
  | 'FILE_EXISTS' // would overwrite; pass --force
  // models
  | 'MODEL_INVALID' // the graph contradicts itself
  | 'MODEL_SHAPE' // shapes of values or weights do not fit
  | 'MODEL_VALUE' // NaN or infinite weights
  | 'MODEL_UNSUPPORTED' // an op, layer, option or format feature Gatefold has no meaning for
  | 'MODEL_NO_ARCHITECTURE' // weights without a graph
  // running
  | 'INPUT_SHAPE' // input arrays that do not fit the model's ports
  | 'INPUT_VALUE' // ids outside the vocabulary, or values of the wrong kind
  | 'NOT_STREAMABLE' // a whole-sequence model asked to run step by step
  | 'STATE_INVALID' // a saved state that belongs to another model or is damaged
  | 'MEMORY_LIMIT' // the plan needs more memory than the limit
  | 'ENGINE_UNAVAILABLE' // the asked engine does not run here, or failed its probe
  // compression, data, command line
  | 'OPTION_INVALID' // an option outside its range, or options that exclude each other
  | 'TARGET_EMPTY' // an address that matches nothing
  | 'DATA_INVALID' // data that do not fit the model or the task
  | 'TRAINING_DIVERGED' // a loss or gradient that is not finite
  | 'RECIPE_INVALID' // a recipe that does not match its schema
  | 'GOAL_MISSED'; // done, but the asked target was not reached

export interface ErrorDetail {
  /** Where: a file field, `node/role/gate`, an option. */
  place?: string;
  expected?: string;
  found?: string;
  /** What to do. */
  hint?: string;
}

export class GatefoldError extends Error {
  override readonly name = 'GatefoldError';
  readonly code: ErrorCode;
  readonly detail: ErrorDetail;

  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}) {
    super(format(code, message, detail));
    this.code = code;
    this.detail = detail;
  }
}

function format(code: string, message: string, { place, expected, found, hint }: ErrorDetail): string {
  let text = `${code}: ${message}`;
  if (place !== undefined) text += `\n  at       ${place}`;
  if (expected !== undefined) text += `\n  expected ${expected}`;
  if (found !== undefined) text += `\n  found    ${found}`;
  if (hint !== undefined) text += `\n  ${hint}`;
  return text;
}

/** A value as messages show it: JSON, cut short. */
export function showValue(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 120 ? `${text.slice(0, 119)}…` : text;
}

/** Throws a {@link GatefoldError}; usable in expressions. */
export function fail(code: ErrorCode, message: string, detail?: ErrorDetail): never {
  throw new GatefoldError(code, message, detail);
}
