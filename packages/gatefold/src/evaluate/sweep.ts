import {
  createSession,
  type Engine,
  type Model,
  type Session,
  type Stream,
  sizeOf,
  type Tensor,
} from '@gatefold/runtime';
import { type Batch, batches, type Dataset } from '../data/index.ts';

export interface EvaluateOptions {
  readonly engine?: Engine;
  /** Examples per call; default by size. */
  readonly batch?: number;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** Steps a call may take together; more only costs memory. */
const rowsPerCall = 8192;

/**
 * Runs all models side by side, each over the same examples as it takes them (`fitted`), and hands each batch's first
 * outputs to `see`. Long sequences go through streaming models in stretches: the outputs have the same bits, take bounded
 * memory, and progress can be told.
 */
export async function sweep(
  models: readonly Model[],
  fitted: readonly Dataset[],
  { engine, batch, onProgress, signal }: EvaluateOptions,
  see: (outputs: readonly Tensor[], batches: readonly Batch[]) => void,
): Promise<Session[]> {
  const sessions = models.map((model) => createSession(model, engine ? { engine } : {}));
  const { count, task } = fitted[0]!;
  const runs = fitted.map((data) => batches(data, batch ?? batchSize(sessions[0]!, fitted[0]!)));
  const inStretches = task !== 'transcribe' && sessions.every(streamsEvenly);
  let last = Date.now();
  for (let done = 0; done < count; ) {
    const nexts = runs.map((run) => run.next().value!);
    const pieces = nexts.map((next, i) => (inStretches ? stretches(sessions[i]!, next) : [{ ...next, until: 1 }]));
    const streams = pieces[0]!.length > 1 ? sessions.map((session) => session.stream()) : undefined;
    for (const [k, { until }] of pieces[0]!.entries()) {
      signal?.throwIfAborted();
      const outputs = sessions.map((session, i) => firstOutput(session, pieces[i]![k]!, streams?.[i]));
      see(
        outputs,
        pieces.map((own) => own[k]!),
      );
      onProgress?.(done + until * nexts[0]!.batch, count);
      // Progress can be shown and an abort can arrive only between turns of the event loop.
      if (Date.now() - last > 50) {
        await new Promise((resolve) => setTimeout(resolve));
        last = Date.now();
      }
    }
    for (const stream of streams ?? []) stream.close();
    done += nexts[0]!.batch;
  }
  return sessions;
}

function batchSize(session: Session, { inputs }: Dataset): number {
  const port = session.inputs[0]!;
  const steps = sizeOf(inputs[port.name]!.shape.slice(1)) / port.width;
  return Math.max(1, Math.min(256, Math.floor(rowsPerCall / steps)));
}

function firstOutput(session: Session, { inputs, batch }: Batch, stream: Stream | undefined): Tensor {
  const results = stream
    ? stream.push(inputs)
    : session.program.stepwise && !session.sequential
      ? stepByStep(session, inputs, batch)
      : session.run(inputs, { batch });
  return results[session.outputs[0]!.name]!;
}

/** A model of which a call is one step, over whole sequences. */
function stepByStep(session: Session, inputs: Batch['inputs'], batch: number): Record<string, Tensor> {
  const streams = Array.from({ length: batch }, () => session.stream());
  try {
    return session.push(streams, inputs);
  } finally {
    for (const stream of streams) stream.close();
  }
}

/** Whether every step of the inputs gives a row of the first output, so that a sequence may be cut anywhere. */
function streamsEvenly({ streams, program, inputs, outputs }: Session): boolean {
  const isTimed = ({ time }: Session['inputs'][number]) => program.times[time]!.kind === 'port';
  return streams && inputs.every(isTimed) && isTimed(outputs[0]!);
}

/** A batch of one long sequence in parts of {@link rowsPerCall} steps, where its targets can be cut with it. */
function stretches(session: Session, next: Batch): (Batch & { readonly until: number })[] {
  const lengths = session.inputs.map(({ name, width }) => next.inputs[name]!.length / width);
  const steps = lengths[0]!;
  const perStep = (next.targets?.length ?? 0) / steps;
  const fits = next.batch === 1 && lengths.every((length) => length === steps) && Number.isInteger(perStep);
  if (!fits || steps <= rowsPerCall) return [{ ...next, until: 1 }];
  const parts = [];
  for (let from = 0; from < steps; from += rowsPerCall) {
    const to = Math.min(steps, from + rowsPerCall);
    const inputs = Object.fromEntries(
      session.inputs.map(({ name, width }) => [name, next.inputs[name]!.subarray(from * width, to * width)]),
    );
    const targets = next.targets?.subarray(from * perStep, to * perStep);
    parts.push({ from: next.from, batch: 1, inputs, ...(targets ? { targets } : {}), until: to / steps });
  }
  return parts;
}
