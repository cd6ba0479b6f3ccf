import { linear } from '../functions.ts';
import type { Tape, Var } from '../tape.ts';
import { composed } from './composed.ts';
import { gru, lstm, simple } from './fused.ts';
import type { Recurrence, RecurrenceResult } from './layer.ts';

/** x [steps·batch, features] through the layer. */
export function recur(tape: Tape, x: Var, layer: Recurrence): RecurrenceResult {
  const fused = layer.mask === undefined && layer.options.units % 4 === 0 ? layer.cell.fused(layer.options) : undefined;
  const inPlace = fused !== undefined;
  const pre = linear(tape, x, layer.weights('W')!, { bias: layer.weights('b'), inPlace });
  if (fused === 'lstm') return lstm(tape, pre, layer);
  if (fused === 'gru') return gru(tape, pre, layer);
  const { cell, options, mask } = layer;
  if (cell.name === 'rnn' && options.clip === undefined && mask === undefined) return simple(tape, pre, layer);
  return composed(tape, pre, layer);
}
