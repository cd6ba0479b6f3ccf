import { createSession, type Engine, type Model } from '@gatefold/runtime';

/**
 * Median µs per step of each model, measured in turns so that noise meets all alike. `now` is a clock in milliseconds.
 * Models of whole sequences are timed per sequence and divided by its steps.
 */
export function timeSteps(models: readonly Model[], now: () => number, engine?: Engine, rounds = 15): number[] {
  const runs = models.map((model) => {
    const session = createSession(model, engine ? { engine } : {});
    const [port] = session.inputs;
    const steps = session.streams ? 1 : typeof port!.shape[1] === 'number' ? port!.shape[1] : 16;
    const inputs = Object.fromEntries(
      session.inputs.map(({ name, width, dtype, shape }) => {
        const length = session.streams
          ? width
          : width * (shape.length > 2 ? (typeof shape[1] === 'number' ? shape[1] : 16) : 1);
        return [name, Float32Array.from({ length }, (_, i) => (dtype === 'int32' ? 0 : Math.sin(i + 1)))];
      }),
    );
    const single = session.inputs.length === 1 ? Object.values(inputs)[0]! : inputs;
    const stream = session.streams ? session.stream() : undefined;
    const call = stream ? () => stream.step(single) : () => session.run(inputs);
    return { call, steps, times: [] as number[], calls: 1 };
  });
  for (const run of runs) {
    const warm = now();
    let calls = 0;
    // Compilers work in the background: what was compiled in haste must not be what is timed.
    while (now() - warm < 200) {
      run.call();
      calls++;
    }
    run.calls = Math.max(1, Math.round(calls / 40));
  }
  for (let round = 0; round < rounds; round++) {
    for (const run of runs) {
      const start = now();
      for (let i = 0; i < run.calls; i++) run.call();
      run.times.push(((now() - start) * 1000) / (run.calls * run.steps));
    }
  }
  return runs.map(({ times }) => times.sort((a, b) => a - b)[times.length >> 1]!);
}
