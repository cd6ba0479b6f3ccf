import { describe, expect, it } from 'vitest';
import { batches, type DataOptions, datasetFromFile, sliceDataset, sliceSteps } from '../../src/data/index.ts';
import { writeNpz } from '../../src/data/npz.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);
const csv = (text: string, options: DataOptions = {}) => datasetFromFile('d.csv', utf8(text), options);
const jsonl = (text: string, options: DataOptions = {}) => datasetFromFile('d.jsonl', utf8(text), options);
const npz = (arrays: Record<string, [number[], number[]]>, options: DataOptions = {}) =>
  datasetFromFile(
    'd.npz',
    writeNpz(
      Object.entries(arrays).map(([name, [shape, data]]): [string, { shape: number[]; data: Float32Array }] => [
        name,
        { shape, data: Float32Array.from(data) },
      ]),
    ),
    options,
  );
const listed = (data: ArrayLike<number> | undefined) => Array.from(data ?? []);
const refused = (make: () => unknown, ...words: string[]) => {
  for (const word of words)
    expect(make).toThrow(expect.objectContaining({ code: 'DATA_INVALID', message: expect.stringContaining(word) }));
};

describe('csv targets', () => {
  const numbers = Array.from({ length: 20 }, (_, i) => `${i},${i / 2}`);

  it.each(['oops', 'NaN', 'inf', '-Infinity', '1,5'])(
    'is an error where one cell of a numeric column is %s',
    (cell) => {
      const rows = [...numbers.slice(0, 7), `7,"${cell}"`, ...numbers.slice(8)];
      for (const task of [undefined, 'classify', 'regress'] as const) {
        refused(() => csv(`x,y\n${rows.join('\n')}\n`, task ? { task } : {}), 'line 9, column y', cell);
      }
    },
  );

  it('is an error where one label of many is a number, unless labels are asked for', () => {
    const text = 'x,y\n1,cat\n2,dog\n3,7\n';
    refused(() => csv(text), 'line 4, column y', '--task classify');
    expect(csv(text, { task: 'classify' }).classes).toEqual(['7', 'cat', 'dog']);
  });

  it('is never a label where it says that there is no number', () => {
    refused(() => csv('x,y\n1,cat\n2,NaN\n', { task: 'classify' }), 'line 3, column y');
  });

  it('is a class by words alone, a number by numbers alone', () => {
    expect(csv('x,y\n1,b\n2,a\n')).toMatchObject({ task: 'classify', classes: ['a', 'b'] });
    expect(csv('x,y\n1,1.5\n2,-2e-1\n').task).toBe('regress');
    refused(() => csv('x,y\n1,b\n2,a\n', { task: 'regress' }), 'line 2, column y');
  });

  it('gives a label per step of a window where labels are asked for', () => {
    const data = csv('x,y\n1,0\n2,1\n3,0\n', { window: 2, task: 'label' });
    expect(data.targets).toEqual({ shape: [2, 2], data: Float32Array.of(0, 1, 1, 0) });
  });
});

describe('csv tables', () => {
  it('takes a byte order mark, quotes, CR LF and blank lines', () => {
    const data = csv('\ufeff"a","b, ""c""",y\r\n1,"2",0\r\n\r\n3,4,1\r\n');
    expect(data.inputs.x).toEqual({ shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) });
    expect(csv('\ufeffa,y\n1,0\n', { target: 'a' }).targets?.data).toEqual(Float32Array.of(1));
  });

  const table: [string, string, string[], DataOptions?][] = [
    ['a duplicate name', 'a,a,y\n1,2,0\n', ['"a"', 'line 1']],
    ['a column without a name', ',a,y\n0,1,0\n', ['line 1, column 1', 'index=False']],
    ['a header alone', 'a,y\n', ['no rows']],
    ['no header', '0.5,1\n0.25,0\n', ['name the columns']],
    ['the target alone', 'y\n1\n', ['y']],
    ['a line after blank ones', 'a,y\n\n\n1,0\n\nx,1\n', ['line 6, column a']],
    ['a line after a quoted line break', '"a\nb",y\n1,0\nx,1\n', ['line 4']],
    ['a short row', 'a,b,y\n1,2,0\n1,2\n', ['line 3', '3', '2']],
    ['a long row', 'a,b,y\n1,2,0\n\n1,2,3,0\n', ['line 4', '3', '4']],
    ['an empty target', 'a,y\n1,0\n2,\n', ['line 3, column y']],
    ['a quote inside a cell', 'a,y\n1"2",0\n', ['line 2', 'Quote']],
    ['a quote that stays open', 'a,y\n"1,0\n', ['Quote']],
    ['a hexadecimal number', 'a,y\n0x10,0\n', ['line 2, column a']],
    ['windows larger than memory', `a,y\n${'1,0\n'.repeat(40_000)}`, ['memory'], { window: 20_000 }],
  ];
  it.each(table)('refuses %s', (_, text, words, options) => refused(() => csv(text, options), ...words));
});

it('refuses a table that the memory could not hold', () => {
  const large = new Uint8Array(2 ** 26 + 1).fill(0x31);
  refused(() => datasetFromFile('d.csv', large), 'too large', '.npz');
});

describe('one-hot targets', () => {
  const x: [number[], number[]] = [[2, 4, 1], Array.from({ length: 8 }, () => 0)];
  const perExample: [number[], number[]] = [
    [2, 3],
    [0, 0, 1, 1, 0, 0],
  ];

  it.each(['classify', 'label', 'language'] as const)('are a class per example, with --task %s too', (task) => {
    expect(npz({ x, y: perExample }, { task }).targets).toEqual({ shape: [2], data: Float32Array.of(2, 0) });
  });

  it('are not seen in labels per step that happen to look so', () => {
    const events: [number[], number[]] = [
      [2, 4],
      [0, 1, 0, 0, 0, 0, 0, 1],
    ];
    expect(npz({ x, y: events }, { task: 'label' }).targets).toMatchObject({ shape: [2, 4] });
  });

  it('per step become labels per step', () => {
    const steps: [number[], number[]] = [
      [1, 2, 2],
      [0, 1, 1, 0],
    ];
    for (const task of ['label', 'classify'] as const) {
      expect(
        npz(
          {
            x: [
              [1, 2, 1],
              [0, 0],
            ],
            y: steps,
          },
          { task },
        ).targets,
      ).toEqual({
        shape: [1, 2],
        data: Float32Array.of(1, 0),
      });
    }
  });
});

describe('jsonl', () => {
  it.each([20, 200_000])('refuses lists nested %i deep', (depth) => {
    refused(() => jsonl(`{"x": ${'['.repeat(depth)}1${']'.repeat(depth)}}\n`), 'line 1');
    refused(() => jsonl(`{"x": [1]}\n{"x": ${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}}\n`), 'line 2');
  });

  it('counts lines as the file does', () => {
    refused(() => jsonl('\n\n{"x": [1]}\n\n{"x": "a"}\n'), 'line 5');
    refused(() => jsonl('{"x": [1], "z": 1}\n\n{"x": [1]}\n'), 'line 3', '"z"');
  });

  it('reads a byte order mark', () => expect(jsonl('\ufeff{"x": [1]}\n').count).toBe(1));
});

describe('sequences of different lengths', () => {
  const lines =
    '{"x": [[1], [2], [3]], "y": 0}\n{"x": [[4]], "y": 1}\n{"x": [[5], [6], [7]], "y": 2}\n{"x": [[8], [9]], "y": 1}\n';
  const ragged = jsonl(lines);

  it('stand one behind the other', () => {
    expect(ragged).toMatchObject({ task: 'classify', count: 4 });
    expect(ragged.inputs.x).toEqual({
      shape: [4, 3, 1],
      lengths: [3, 1, 3, 2],
      data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9),
    });
  });

  it('come in batches of one length with their targets', () => {
    expect([...batches(ragged, 8)]).toEqual([
      { from: 0, batch: 1, ids: [1], inputs: { x: Float32Array.of(4) }, targets: Float32Array.of(1) },
      { from: 1, batch: 1, ids: [3], inputs: { x: Float32Array.of(8, 9) }, targets: Float32Array.of(1) },
      {
        from: 2,
        batch: 2,
        ids: [0, 2],
        inputs: { x: Float32Array.of(1, 2, 3, 5, 6, 7) },
        targets: Float32Array.of(0, 2),
      },
    ]);
    expect([...batches(ragged, 1)].map(({ from, batch }) => [from, batch])).toEqual([0, 1, 2, 3].map((n) => [n, 1]));
  });

  it('are cut out in their order', () => {
    const part = sliceDataset(ragged, 1, 3);
    expect(part.inputs.x).toMatchObject({ lengths: [1, 3], data: Float32Array.of(4, 5, 6, 7) });
    expect(listed(part.targets?.data)).toEqual([1, 2]);
  });

  it('have labels of their own length', () => {
    const data = jsonl('{"x": [[1], [2]], "y": [0, 1]}\n{"x": [[4]], "y": [2]}\n');
    expect(data).toMatchObject({ task: 'label', targets: { shape: [2, 2], lengths: [2, 1] } });
    expect([...batches(data, 8)].map(({ targets }) => listed(targets))).toEqual([[2], [0, 1]]);
  });

  it('are a list of arrays in an npz, without objects', () => {
    const data = npz({
      'x[0]': [
        [2, 1],
        [1, 2],
      ],
      'x[1]': [[1, 1], [3]],
      y: [[2], [0, 1]],
    });
    expect(data.inputs.x).toMatchObject({ shape: [2, 2, 1], lengths: [2, 1], data: Float32Array.of(1, 2, 3) });
    refused(
      () =>
        npz({
          'x[0]': [
            [2, 1],
            [1, 2],
          ],
          'x[2]': [[1, 1], [3]],
        }),
      'x[1]',
      'missing',
    );
    refused(
      () =>
        npz({
          'x[0]': [
            [2, 1],
            [1, 2],
          ],
          'x[1]': [
            [1, 2],
            [3, 4],
          ],
        }),
      'x[1]',
    );
  });

  it('of one sequence are cut by steps', () => {
    const one = jsonl('{"x": [[1], [2], [3], [4]], "y": [0, 1, 2, 3]}\n');
    expect(sliceSteps(one, 1, 3)).toMatchObject({
      inputs: { x: { shape: [1, 2, 1], data: Float32Array.of(2, 3) } },
      targets: { shape: [1, 2], data: Float32Array.of(1, 2) },
    });
    expect(sliceSteps(ragged, 0, 1)).toBeUndefined();
  });
});

it('says of sound files where they go', () => {
  refused(() => datasetFromFile('a.wav', new Uint8Array(4)), 'a folder of .wav files');
});
