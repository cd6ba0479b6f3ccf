import {
  createSession,
  type Engine,
  fail,
  type Model,
  relaxedEngine,
  type Session,
  simd128Engine,
} from '@gatefold/runtime';
import type { LoadOptions } from '../../node/load.ts';
import { alignedTable } from '../../report/format.ts';
import type { Context } from '../context.ts';
import { openModels } from '../open.ts';
import { engineOption } from './run.ts';

interface Timing {
  readonly model: string;
  readonly engine: string;
  /** From the parsed model to the first output, in milliseconds. */
  readonly coldStart: number;
  /** Microseconds per step: median and 99th percentile over batches of calls. */
  readonly p50: number;
  readonly p99: number;
  readonly timesRealTime?: number;
}

interface Runner {
  readonly model: string;
  readonly session: Session;
  readonly coldStart: number;
  readonly call: () => void;
  /** Steps that one call takes. */
  readonly steps: number;
  readonly times: number[];
}

const rounds = 60;
const roundMilliseconds = 8;

/** A way to run one step (or, of a whole-sequence model, one sequence) again and again. */
function prepare(name: string, model: Model, engine: Engine): Runner {
  const start = performance.now();
  const session = createSession(model, { engine });
  const lengths = session.inputs.map((port) =>
    typeof port.shape[1] === 'number' && port.shape.length > 2 ? port.shape[1] : 28,
  );
  const inputs = (steps: (i: number) => number) =>
    Object.fromEntries(
      session.inputs.map((port, i) => {
        const values = Float32Array.from({ length: port.width * steps(i) }, (_, k) =>
          port.dtype === 'int32' ? 0 : Math.sin(k + 1),
        );
        return [port.name, values];
      }),
    );
  let call: () => void;
  let steps = 1;
  if (session.streams) {
    const stream = session.stream();
    const x = inputs(() => 1);
    const single = session.inputs.length === 1 ? Object.values(x)[0]! : x;
    call = () => stream.step(single);
  } else {
    const x = inputs((i) => lengths[i]!);
    steps = lengths[0]!;
    call = () => session.run(x);
  }
  call();
  return { model: name, session, coldStart: performance.now() - start, call, steps, times: [] };
}

function timeRound(runner: Runner, calls: number): number {
  const start = performance.now();
  for (let i = 0; i < calls; i++) runner.call();
  return ((performance.now() - start) * 1000) / (calls * runner.steps);
}

/** Times all models on all engines in turns, so that noise meets them alike. */
export async function bench(
  context: Context,
  paths: readonly string[],
  options: LoadOptions & { engine?: string; rate?: number; assert?: number },
): Promise<void> {
  if (options.assert !== undefined && paths.length < 2) {
    fail('OPTION_INVALID', 'a ratio needs two models', { place: '--assert', found: `${paths.length}` });
  }
  const chosen = engineOption(options.engine).engine;
  const engines = chosen
    ? [chosen]
    : [simd128Engine, relaxedEngine].filter((engine) => engine.unavailable() === undefined);
  const runners: Runner[] = [];
  for (const { path, model } of await openModels(context, paths, options)) {
    for (const engine of engines) runners.push(prepare(path, model, engine));
  }
  const calls = runners.map((runner) => {
    for (let i = 0; i < 2000 && timeRound(runner, 1) < 1e5; i++);
    const once = timeRound(runner, 20) * runner.steps;
    return Math.max(1, Math.round((roundMilliseconds * 1000) / once));
  });
  for (let round = 0; round < rounds; round++) {
    context.signal.throwIfAborted();
    context.progress.update(round, rounds, 'timing');
    runners.forEach((runner, i) => {
      runner.times.push(timeRound(runner, calls[i]!));
    });
    // An interrupt can only arrive between turns.
    await new Promise((resolve) => setImmediate(resolve));
  }
  context.progress.done();
  const { rate } = options;
  const timings: Timing[] = runners.map(({ model, session, coldStart, times }) => {
    const sorted = [...times].sort((a, b) => a - b);
    const p50 = sorted[sorted.length >> 1]!;
    const p99 = sorted[Math.floor(sorted.length * 0.99)]!;
    return {
      model,
      engine: session.engine.name,
      coldStart,
      p50,
      p99,
      ...(rate ? { timesRealTime: 1e6 / (p50 * rate) } : {}),
    };
  });
  report(context, timings, options.assert);
}

function showTimes(times: number): string {
  return times >= 100 ? `${Math.round(times)}` : times.toPrecision(3);
}

function report(context: Context, timings: readonly Timing[], wanted: number | undefined): void {
  const first = timings[0]!;
  const last = timings.findLast((timing) => timing.engine === first.engine)!;
  const ratio = first.p50 / last.p50;
  const rows = timings.map((timing) => [
    timing.model,
    timing.engine,
    timing.p50.toFixed(2),
    timing.p99.toFixed(2),
    `${timing.coldStart.toFixed(1)} ms`,
    `${(first.p50 / timing.p50).toFixed(2)}×`,
    timing.timesRealTime === undefined ? '' : `${showTimes(timing.timesRealTime)}×`,
  ]);
  const right = ['µs/step', 'p99', 'cold start', '× faster', '× real time'];
  const used = timings.some(({ timesRealTime }) => timesRealTime !== undefined) ? right : right.slice(0, -1);
  context.result({ node: process.version, timings, ratio, wanted: wanted ?? null }, () =>
    alignedTable(
      ['model', 'engine', ...used],
      rows.map((row) => row.slice(0, 2 + used.length)),
      used,
    ),
  );
  if (wanted !== undefined && !(ratio >= wanted)) {
    fail('GOAL_MISSED', `the last model is not ${wanted} times as fast as the first`, {
      expected: `${wanted}×`,
      found: `${ratio.toFixed(2)}×`,
    });
  }
}
