import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createSession, GatefoldError, simd128Engine } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { readNpz } from '../../src/data/npz.ts';
import { listZip, memberStart } from '../../src/data/zip.ts';
import { architectureTemplate, readModel, writerFor } from '../../src/formats/index.ts';
import { functions } from '../../src/formats/torch/script/functions/index.ts';
import { parseCode } from '../../src/formats/torch/script/parse.ts';
import type { Value } from '../../src/formats/torch/script/values.ts';
import { difference } from './onnx-support.ts';

const folder = fileURLToPath(new URL('../../../../fixtures/torchscript/', import.meta.url));
const bytesOf = (name: string) => new Uint8Array(readFileSync(folder + name));

const cases: Readonly<Record<string, readonly string[]>> = {
  norms: [],
  ids: [],
  front: [],
  states: [],
  joined: [
    'forward() also returns states, which are left out',
    'forward() does not use encoder.unused.weight, encoder.unused.bias',
  ],
};

describe.each(
  Object.keys(cases).flatMap((name) => [
    [name, 'script'],
    [name, 'trace'],
  ]),
)('%s, by %s', (name, kind) => {
  it('computes what PyTorch does, and nothing is taken for granted', async () => {
    const { model, format } = await readModel(bytesOf(`${name}-${kind}.pt`));
    expect(format.version).toContain('TorchScript');
    expect(model.origin?.assumptions ?? []).toEqual(cases[name!]);
    const arrays = readNpz(readFileSync(`${folder}${name}.npz`));
    const session = createSession(model, { engine: simd128Engine });
    const { data, shape } = arrays.get('in')!;
    const x = Float32Array.from(data as ArrayLike<number>, Number);
    const out = session.run({ input: x }, { batch: shape[0]! });
    const [y] = Object.values(out);
    expect(difference(y!.data, arrays.get('out')!.data as Float32Array)).toBeLessThan(1e-5);
  });

  it('is written as the same archive with other numbers', async () => {
    const source = bytesOf(`${name}-${kind}.pt`);
    const { model } = await readModel(source);
    const { bytes } = await writerFor('pt', 'test').write(model, { source });
    expect(Buffer.from(bytes).equals(Buffer.from(source))).toBe(true);
  });
});

async function refusal(bytes: Uint8Array): Promise<GatefoldError> {
  const error = await readModel(bytes).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(GatefoldError);
  return error as GatefoldError;
}

/** The archive with another text of the same length in its code. */
function changed(name: string, from: string, to: string): Uint8Array {
  const bytes = Buffer.from(bytesOf(name));
  const at = bytes.indexOf(from);
  expect(at).toBeGreaterThan(0);
  expect(to.length).toBe(from.length);
  bytes.write(to, at, 'latin1');
  // Without a checksum members are taken as they are.
  for (const entry of listZip(bytes).values()) {
    const start = memberStart(bytes, entry);
    if (at < start || at >= start + entry.size) continue;
    bytes.writeUInt32LE(0, entry.listed + 16);
    bytes.writeUInt32LE(0, entry.at + 14);
  }
  return new Uint8Array(bytes);
}

describe('code that says more than layers', () => {
  it.each([
    ['loop.pt', 'for step in range'],
    ['branch.pt', 'branches by what is not known'],
  ])('%s is refused with the reason, and read by an architecture file', async (name, words) => {
    const { code, message } = await refusal(bytesOf(name));
    expect(code).toBe('MODEL_NO_ARCHITECTURE');
    expect(message).toContain(words);
    expect(architectureTemplate(bytesOf(name))).toContain('type: linear');
  });

  it.each([
    ['norms-trace.pt', 'torch.select(_0, 1, -1)', 'torch.select(_0, 1, -2)', 'the last step'],
    ['norms-trace.pt', 'torch.relu(', 'torch.rely(', 'torch.rely'],
    [
      'norms-trace.pt',
      'torch.slice((rnn).forward(x, ), 0, 0,',
      'torch.slice((rnn).forward(x, ), 0, 1,',
      'cuts something out',
    ],
    ['ids-trace.pt', '[1, 0, 2]', '[1, 2, 0]', 'another dimension'],
    ['states-trace.pt', 'torch.zeros(', 'torch.ones_(', 'states of its own'],
    ['front-trace.pt', 'torch.mean(', 'torch.sums(', 'torch.sums'],
    ['joined-trace.pt', 'torch.add(_0, x)', 'torch.add(_0, 1)', 'not given the output'],
  ])('%s with %s → %s', async (name, from, to, words) => {
    expect((await refusal(changed(name, from, to))).message).toContain(words);
  });

  it('adds no values of which nothing tells that their dimensions are the same', () => {
    const call = (...given: Value[]) => ({ given, named: new Map(), place: 'forward', add: () => 'layer' });
    const [transpose, add] = [functions.get('transpose')!, functions.get('add')!];
    const x: Value = { kind: 'value', memory: { layer: 'input' }, axes: [{}, {}, {}] };
    expect(add(call(x, x))).toMatchObject({ memory: { layer: 'layer' } });
    expect(() => add(call(x, transpose(call(x, 1, 2))))).toThrow('broadcasts');
  });

  it('is parsed in time, whatever it holds', () => {
    const hostile = [
      `def forward(x: Tensor) -> Tensor:\n  y = ${'('.repeat(5000)}\n`,
      `def forward(x: Tensor) -> Tensor:\n  return ${'1'.repeat(200_000)}x\n`,
      `def forward(x: Tensor) -> Tensor:\n  return ${'a, '.repeat(100_000)}=\n`,
      'if x:\n'.repeat(20_000),
      `class A(Module):\n${Array.from({ length: 3000 }, (_, i) => `${' '.repeat(i + 2)}if x:`).join('\n')}`,
      `class A(Module):\n  a : Final[${'] = '.repeat(100_000)}`,
    ];
    for (const text of hostile) {
      const start = performance.now();
      parseCode(text);
      expect(performance.now() - start).toBeLessThan(2000);
    }
  });
});
