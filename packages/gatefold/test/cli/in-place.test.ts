import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { command, gatefold } from './gatefold.ts';

const fixture = (name: string) => fileURLToPath(new URL(`../../../../fixtures/${name}`, import.meta.url));
const source = fixture('onnx/in-place/custom.onnx');
const whole = fixture('onnx/lstm-forward.onnx');
const h5 = fixture('keras/k2-dense.h5');
const folder = mkdtempSync(join(tmpdir(), 'gatefold-in-place-'));
const at = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

describe('models that are not understood', () => {
  it('are quantized in place, and what was left and not measured is said', async () => {
    const { status, stdout, stderr } = await command('quantize', source, '--bits', '8', '-o', at('small.onnx'));
    expect(status).toBe(0);
    expect(stderr).toContain('nothing was measured');
    expect(stderr).toContain('multiplied in integers: LSTM_1, MatMul_4');
    expect(stdout).toContain('LSTM_1/forward/W');
    expect(stdout).toContain('its constant is the first operand');
    expect(stdout).toContain('com.microsoft.FastGelu');
  });

  it('are pruned in place; layers that were not chosen are listed', async () => {
    const { status, json } = await gatefold(
      ...['prune', source, '--sparsity', '0.5', '--block', '1x1', '--target', 'GRU_14/U', '-o', at('pruned.onnx')],
    );
    expect(status).toBe(0);
    const { left, bytes, steps } = json as {
      left: { name: string; reason: string }[];
      bytes: { before: number; after: number };
      steps: { summary: { place: string }[] }[];
    };
    expect(left.map(({ name }) => name)).toContain('LSTM_1/forward');
    expect(left.map(({ name }) => name)).not.toContain('GRU_14');
    expect(steps[0]!.summary).toHaveLength(1);
    // The recipe is written down.
    expect(bytes.after - bytes.before).toBeLessThan(400);
    expect(readFileSync(at('pruned.onnx')).includes('"pass":"prune"')).toBe(true);
  });

  it.each([
    [['quantize', source, '--bits', '8', '-o', at('x.gatefold')], 'FILE_VERSION', 'compressed in place'],
    [['quantize', source, '--bits', '8', '--weights', h5, '-o', at('x.onnx')], 'FILE_VERSION', 'field'],
    [['quantize', whole, '--bits', '8', '--weights', h5, '-o', at('x.onnx')], 'MODEL_SHAPE', 'fits the graph'],
    [['quantize', source, '--bits', '8', '--data', at('d.npz'), '-o', at('x.onnx')], 'OPTION_INVALID', '--data'],
    [['prune', source, '--units', '0.5', '-o', at('x.onnx')], 'OPTION_INVALID', 'prune-units'],
    [['prune', source, '--threshold', '0.1', '--epochs', '1', '-o', at('x.onnx')], 'OPTION_INVALID', 'step "prune"'],
    [
      ['prune', source, '--sparsity', '0.5', '--criterion', 'obs', '-o', at('x.onnx')],
      'OPTION_INVALID',
      'step "prune"',
    ],
    [['quantize', source, '--bits', '8', '--max-bytes', '10', '-o', at('y.onnx')], 'GOAL_MISSED', '10 bytes'],
  ])('refuse what cannot be done to them: %j', async (args, code, words) => {
    const { status, stderr } = await command(...args);
    expect(status).toBeGreaterThan(0);
    expect(stderr).toContain(code);
    expect(stderr).toContain(words);
  });
});
