import { describe, expect, it } from 'vitest';
import { type DataOptions, datasetFromFile } from '../../src/data/index.ts';
import { writeNpz } from '../../src/data/npz.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);
const npz = (arrays: Record<string, [number[], number[]]>) =>
  writeNpz(
    Object.entries(arrays).map(([name, [shape, data]]): [string, { shape: number[]; data: Float32Array }] => [
      name,
      { shape, data: Float32Array.from(data) },
    ]),
  );
const listed = (data: ArrayLike<number> | undefined) => Array.from(data ?? []);

describe('csv', () => {
  it('takes the last column as the target, whole numbers as classes', () => {
    const data = datasetFromFile('flowers.csv', utf8('a, b ,kind\n1,2.5,0\n\n-3,4e-1,2\n'));
    expect(data).toMatchObject({ name: 'flowers.csv', task: 'classify', count: 2 });
    expect(data.inputs.x!.shape).toEqual([2, 2]);
    expect(listed(data.inputs.x!.data)).toEqual(listed(Float32Array.of(1, 2.5, -3, 0.4)));
    expect(listed(data.targets?.data)).toEqual([0, 2]);
    expect(data.classes).toBeUndefined();
  });

  it('numbers words in the order of the alphabet', () => {
    const data = datasetFromFile('d.csv', utf8('x,y\n1,"cat, wild"\n2,ant\n3,"cat, wild"\n'));
    expect(data.classes).toEqual(['ant', 'cat, wild']);
    expect(listed(data.targets?.data)).toEqual([1, 0, 1]);
  });

  it('infers regression, and lets the task be said', () => {
    expect(datasetFromFile('d.csv', utf8('x,y\n1,0.5\n2,1\n')).task).toBe('regress');
    expect(datasetFromFile('d.csv', utf8('x,y\n1,-1\n2,1\n')).task).toBe('regress');
    expect(datasetFromFile('d.csv', utf8('x,y\n1,3\n2,1\n'), { task: 'regress' }).task).toBe('regress');
  });

  it('predicts the column it is told', () => {
    const data = datasetFromFile('d.csv', utf8('y,x\n1,7\n0,9\n'), { target: 'y' });
    expect(listed(data.inputs.x!.data)).toEqual([7, 9]);
    expect(listed(data.targets?.data)).toEqual([1, 0]);
  });

  it('slides a window over a time series; its last row has the target', () => {
    const data = datasetFromFile('d.csv', utf8('x,y\n1,0\n2,1\n3,2\n4,3\n'), { window: 3 });
    expect(data.inputs.x!.shape).toEqual([2, 3, 1]);
    expect(listed(data.inputs.x!.data)).toEqual([1, 2, 3, 2, 3, 4]);
    expect(listed(data.targets?.data)).toEqual([2, 3]);
  });
});

describe('npz and npy', () => {
  it('takes y as targets and everything else as inputs', () => {
    const data = datasetFromFile(
      'd.npz',
      npz({
        a: [
          [2, 1],
          [1, 2],
        ],
        b: [
          [2, 2],
          [3, 4, 5, 6],
        ],
        y: [[2], [1, 0]],
      }),
    );
    expect(data).toMatchObject({ task: 'classify', count: 2 });
    expect(Object.keys(data.inputs)).toEqual(['a', 'b']);
    expect(listed(data.inputs.b!.data)).toEqual([3, 4, 5, 6]);
  });

  it('turns one-hot targets and columns into class numbers', () => {
    const oneHot = datasetFromFile(
      'd.npz',
      npz({
        x: [
          [2, 1],
          [0, 0],
        ],
        y: [
          [2, 3],
          [0, 0, 1, 1, 0, 0],
        ],
      }),
    );
    expect(oneHot).toMatchObject({ task: 'classify', targets: { shape: [2] } });
    expect(listed(oneHot.targets?.data)).toEqual([2, 0]);
    const column = datasetFromFile(
      'd.npz',
      npz({
        x: [
          [2, 1],
          [0, 0],
        ],
        y: [
          [2, 1],
          [4, 1],
        ],
      }),
    );
    expect(column).toMatchObject({ task: 'classify', targets: { shape: [2] } });
    const steps = datasetFromFile(
      'd.npz',
      npz({
        x: [
          [1, 2, 1],
          [0, 0],
        ],
        y: [
          [1, 2, 3],
          [0, 0, 1, 0, 1, 0],
        ],
      }),
    );
    expect(steps).toMatchObject({ task: 'label', targets: { shape: [1, 2] } });
    expect(listed(steps.targets?.data)).toEqual([2, 1]);
  });

  it('infers labels per step and regression', () => {
    expect(
      datasetFromFile(
        'd.npz',
        npz({
          x: [
            [1, 2, 1],
            [0, 0],
          ],
          y: [
            [1, 2],
            [3, 1],
          ],
        }),
      ).task,
    ).toBe('label');
    expect(
      datasetFromFile(
        'd.npz',
        npz({
          x: [
            [2, 1],
            [0, 0],
          ],
          y: [[2], [0.5, 1]],
        }),
      ).task,
    ).toBe('regress');
  });

  it('infers answers: rows of any number of ones at every step', () => {
    const steps = { shape: [1, 2, 3], data: Float32Array.of(1, 0, 1, 0, 0, 0) };
    const x = { shape: [1, 2, 1], data: Float32Array.of(0.5, 1) };
    const file = (y: typeof steps) =>
      writeNpz([
        ['x', x],
        ['y', y],
      ]);
    expect(datasetFromFile('d.npz', file(steps))).toMatchObject({ task: 'binary', targets: { shape: [1, 2, 3] } });
    const counts = { ...steps, data: Float32Array.of(2, 0, 1, 0, 0, 0) };
    expect(datasetFromFile('d.npz', file(counts)).task).toBe('label');
    expect(() => datasetFromFile('d.npz', file(counts), { task: 'binary' })).toThrow(/neither 0 nor 1/);
  });

  it('needs no targets for calibration', () => {
    const data = datasetFromFile(
      'd.npz',
      npz({
        x: [
          [2, 1],
          [0, 1],
        ],
      }),
    );
    expect(data).toMatchObject({ task: 'custom', count: 2 });
    expect(data.targets).toBeUndefined();
  });
});

describe('jsonl', () => {
  it('reads an example per line', () => {
    const data = datasetFromFile(
      'd.jsonl',
      utf8('{"x": [[1, 2], [3, 4]], "y": 1}\n\n{"x": [[5, 6], [7, 8]], "y": 0}\n'),
    );
    expect(data).toMatchObject({ task: 'classify', count: 2, inputs: { x: { shape: [2, 2, 2] } } });
    expect(listed(data.inputs.x!.data)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(listed(data.targets?.data)).toEqual([1, 0]);
  });

  it('reads lines that end in CR LF', () => {
    expect(datasetFromFile('d.jsonl', utf8('{"x": [1], "y": 1}\r\n{"x": [2], "y": 0}\r\n')).count).toBe(2);
  });
});

describe('txt', () => {
  it('predicts every next symbol', () => {
    const data = datasetFromFile('t.txt', utf8('abca'), { vocabulary: ['a', 'b', 'c'] });
    expect(data).toMatchObject({
      task: 'language',
      count: 1,
      inputs: { x: { shape: [1, 3] } },
      targets: { shape: [1, 3] },
    });
    expect(listed(data.inputs.x!.data)).toEqual([0, 1, 2]);
    expect(listed(data.targets?.data)).toEqual([1, 2, 0]);
  });

  it('counts characters, not UTF-16 units, and stops at the limit', () => {
    const options = { vocabulary: ['é', '🙂', '\n'], limit: 3 };
    expect(listed(datasetFromFile('t.txt', utf8('é🙂\nunknown'), options).targets?.data)).toEqual([1, 2]);
  });
});

describe('refusals', () => {
  const one = [[1, 1], [0]] as [number[], number[]];
  const letters: DataOptions = { vocabulary: ['a', 'b'] };
  const table: [string, string, Uint8Array, DataOptions, string][] = [
    ['an unknown kind of file', 'd.xlsx', utf8(''), {}, '.npz'],
    ['a name without a kind', 'data', utf8(''), {}, '.npz'],
    ['csv: a word among numbers', 'd.csv', utf8('x,y\n1,0\nlow,1\n'), {}, 'line 3, column x'],
    ['csv: NaN', 'd.csv', utf8('x,y\nNaN,0\n'), {}, 'line 2, column x'],
    ['csv: infinite', 'd.csv', utf8('x,y\nInfinity,0\n'), {}, 'line 2, column x'],
    ['csv: beyond float32', 'd.csv', utf8('x,y\n1e39,0\n'), {}, 'line 2, column x'],
    ['csv: an empty cell', 'd.csv', utf8('x,y\n,0\n'), {}, 'line 2, column x'],
    ['csv: ragged rows', 'd.csv', utf8('x,y\n1,0\n1,0,5\n'), {}, 'd.csv'],
    ['csv: an open quote', 'd.csv', utf8('x,y\n"1,0\n'), {}, 'd.csv'],
    ['csv: a missing column', 'd.csv', utf8('x,y\n1,0\n'), { target: 'z' }, 'x, y'],
    ['csv: nothing', 'd.csv', utf8(''), {}, 'd.csv'],
    ['csv: a head alone', 'd.csv', utf8('x,y\n'), {}, 'd.csv'],
    ['csv: fewer rows than a window', 'd.csv', utf8('x,y\n1,0\n'), { window: 2 }, 'window'],
    ['csv: labels with a fraction', 'd.csv', utf8('x,y\n1,0.5\n'), { task: 'classify' }, 'd.csv.y[0]'],
    ['csv: labels below zero', 'd.csv', utf8('x,y\n1,-1\n'), { task: 'classify' }, 'd.csv.y[0]'],
    ['csv: not UTF-8', 'd.csv', Uint8Array.of(0x78, 0xff, 0xfe), {}, 'UTF-8'],
    [
      'npz: NaN',
      'd.npz',
      npz({
        x: [
          [2, 1],
          [0, Number.NaN],
        ],
      }),
      {},
      'd.npz.x[1]',
    ],
    ['npz: infinite targets', 'd.npz', npz({ x: one, y: [[1], [Number.POSITIVE_INFINITY]] }), {}, 'd.npz.y[0]'],
    [
      'npz: fewer targets than examples',
      'd.npz',
      npz({
        x: [
          [2, 1],
          [0, 1],
        ],
        y: [[1], [0]],
      }),
      {},
      'd.npz.y',
    ],
    [
      'npz: inputs of different counts',
      'd.npz',
      npz({
        a: [
          [2, 1],
          [0, 1],
        ],
        b: one,
      }),
      {},
      'd.npz.b',
    ],
    ['npz: labels with a fraction', 'd.npz', npz({ x: one, y: [[1], [0.5]] }), { task: 'classify' }, 'd.npz.y[0]'],
    ['npz: targets alone', 'd.npz', npz({ y: [[1], [0]] }), {}, 'd.npz'],
    ['npz: no examples', 'd.npz', npz({ x: [[0, 3], []] }), {}, 'd.npz'],
    ['npz: a number without examples', 'd.npz', npz({ x: [[], [1]] }), {}, 'd.npz'],
    ['npz: no archive', 'd.npz', utf8('no archive at all, only words'), {}, '.npz'],
    ['npz: cut off', 'd.npz', npz({ x: one }).slice(0, -30), {}, '.npz'],
    ['npy: garbage', 'd.npy', utf8('NUMPY is not here'), {}, '.npy'],
    ['jsonl: not JSON', 'd.jsonl', utf8('{"x": [1]}\n{"x": [1]\n'), {}, 'line 2'],
    ['jsonl: NaN', 'd.jsonl', utf8('{"x": [NaN]}\n'), {}, 'line 1'],
    ['jsonl: null', 'd.jsonl', utf8('{"x": [1, null]}\n'), {}, 'line 1'],
    ['jsonl: a word', 'd.jsonl', utf8('{"x": [1], "y": "cat"}\n'), {}, 'line 1'],
    ['jsonl: beyond float32', 'd.jsonl', utf8('{"x": [1e39]}\n'), {}, 'd.jsonl.x[0]'],
    ['jsonl: an empty list', 'd.jsonl', utf8('{"x": []}\n'), {}, 'line 1'],
    ['jsonl: a ragged list', 'd.jsonl', utf8('{"x": [[1, 2], [3]]}\n'), {}, 'ragged'],
    ['jsonl: different shapes', 'd.jsonl', utf8('{"x": [[1, 2]]}\n{"x": [[1]]}\n'), {}, 'line 2'],
    ['jsonl: an input that comes late', 'd.jsonl', utf8('{"x": [1]}\n{"x": [1], "z": [1]}\n'), {}, 'line 2'],
    ['jsonl: an input that ends early', 'd.jsonl', utf8('{"x": [1], "z": [1]}\n{"x": [1]}\n'), {}, 'no "z"'],
    ['jsonl: labels with a fraction', 'd.jsonl', utf8('{"x": [1], "y": 0.5}'), { task: 'classify' }, 'd.jsonl.y[0]'],
    ['jsonl: nothing', 'd.jsonl', utf8('\n\n'), {}, 'd.jsonl'],
    ['txt: no vocabulary', 't.txt', utf8('ab'), {}, '--vocabulary'],
    ['txt: an unknown character', 't.txt', utf8('abX'), letters, 't.txt[2]'],
    ['txt: one character', 't.txt', utf8('a'), letters, 't.txt'],
    ['txt: nothing', 't.txt', utf8(''), letters, 't.txt'],
  ];
  it.each(table)('%s', (_, name, bytes, options, text) => {
    expect(() => datasetFromFile(name, bytes, options)).toThrow(
      expect.objectContaining({ code: 'DATA_INVALID', message: expect.stringContaining(text) }),
    );
  });
});
