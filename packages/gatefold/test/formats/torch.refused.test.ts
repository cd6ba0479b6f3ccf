import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { readModel } from '../../src/formats/index.ts';
import { fileOf } from './torch-fixtures.ts';

const text = (value: string) => [...new TextEncoder().encode(value)];
const word = (value: string) => [
  0x58,
  ...(text(value).length < 256 ? [text(value).length, 0, 0, 0] : []),
  ...text(value),
];
const global = (module: string, name: string) => [0x63, ...text(`${module}\n${name}\n`)];
const proto = [0x80, 2];
const stop = 0x2e;

/** An archive with this program and one storage of `floats` numbers, key 0. */
function archive(program: readonly number[], floats = 8): Uint8Array {
  return zipSync(
    {
      'a/data.pkl': Uint8Array.from(program),
      'a/byteorder': Uint8Array.from(text('little')),
      'a/data/0': new Uint8Array(4 * floats),
      'a/version': Uint8Array.from(text('3\n')),
    },
    { level: 0 },
  );
}

const int = (value: number) => [0x4a, value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >>> 24) & 255];
const tuple = (...items: number[][]) => [0x28, ...items.flat(), 0x74];
const storage = (count: number, key = '0', type = 'FloatStorage') => [
  ...tuple(word('storage'), global('torch', type), word(key), word('cpu'), int(count)),
  0x51,
];
const tensor = (count: number, shape: number[], stride: number[], offset = 0, more = storage(count)) => [
  ...global('torch._utils', '_rebuild_tensor_v2'),
  ...tuple(more, int(offset), tuple(...shape.map(int)), tuple(...stride.map(int)), [0x89], [0x4e]),
  0x52,
];
const dict = (...entries: [string, number[]][]) => [
  ...proto,
  0x7d,
  0x28,
  ...entries.flatMap(([key, value]) => [...word(key), ...value]),
  0x75,
  stop,
];
const one = (value: number[]) => archive(dict(['weight_ih_l0', value]));
/** A plain RNN of one unit with this input matrix. */
const rnn = (input: number[]) => archive(dict(['weight_ih_l0', input], ['weight_hh_l0', tensor(8, [1, 1], [1, 1])]));
const call = (module: string, name: string) => one([...global(module, name), ...tuple(word('x')), 0x52]);

const refused: [string, Uint8Array, string, RegExp][] = [
  ['os.system, as torch.save writes it', fileOf('evil.pt'), 'MODEL_UNSUPPORTED', /"posix\.system"/],
  ['os.system in the older form', fileOf('evil-legacy.pt'), 'MODEL_UNSUPPORTED', /"posix\.system"/],
  ['eval', call('builtins', 'eval'), 'MODEL_UNSUPPORTED', /"builtins\.eval"/],
  ['a hostile name that is not called', one(global('subprocess', 'Popen')), 'MODEL_UNSUPPORTED', /"subprocess\.Popen"/],
  ['a call of any unknown function', call('my.models', 'make'), 'MODEL_UNSUPPORTED', /calls "my\.models\.make"/],
  [
    'a call of a class',
    call('torch.nn.modules.rnn', 'LSTM'),
    'MODEL_UNSUPPORTED',
    /calls "torch\.nn\.modules\.rnn\.LSTM"/,
  ],
  ['a call by INST', one([0x28, ...word('x'), 0x69, ...text('os\nsystem\n')]), 'MODEL_UNSUPPORTED', /"os\.system"/],
  ['pickle within pickle', call('torch.storage', '_load_from_bytes'), 'MODEL_UNSUPPORTED', /pickle\.dump/],
  ['a sparse tensor', call('torch._utils', '_rebuild_sparse_tensor'), 'MODEL_UNSUPPORTED', /sparse/],
  [
    'an unknown storage type',
    one(tensor(8, [2], [1], 0, storage(8, '0', 'QInt8Storage'))),
    'MODEL_UNSUPPORTED',
    /QInt8/,
  ],
  ['a call of a text', one([...word('x'), 0x29, 0x52]), 'FILE_CORRUPT', /no function/],
  ['an unknown instruction', archive([...proto, 0x01, stop]), 'FILE_CORRUPT', /0x1/],
  ['extension registry', archive([...proto, 0x82, 1, stop]), 'FILE_CORRUPT', /0x82/],
  ['protocol 9', archive([0x80, 9, stop]), 'FILE_VERSION', /protocol/],
  ['an empty stack', archive([...proto, 0x30, stop]), 'FILE_CORRUPT', /not there/],
  ['no mark', archive([...proto, 0x4e, 0x74, stop]), 'FILE_CORRUPT', /mark/],
  ['an unset memo', archive([...proto, 0x68, 7, stop]), 'FILE_CORRUPT', /did not store/],
  ['values left over', archive([...proto, 0x4e, 0x4e, stop]), 'FILE_CORRUPT', /left/],
  ['an end inside a text', archive([...proto, 0x58, 255, 255, 255, 127, 65]), 'FILE_TRUNCATED', /ends inside/],
  ['no end', archive([...proto, 0x4e]), 'FILE_TRUNCATED', /ends inside/],
  [
    'an endless integer',
    archive([...proto, 0x8b, 0, 1, 0, 0, ...Array<number>(256).fill(1), stop]),
    'FILE_TOO_LARGE',
    /integer/,
  ],
  ['a length of 2^63', archive([...proto, 0x8d, 0, 0, 0, 0, 0, 0, 0, 128, stop]), 'FILE_CORRUPT', /impossible/],
  ['more elements than the storage', one(tensor(8, [4096, 4096], [0, 0])), 'FILE_CORRUPT', /more elements/],
  ['elements beyond the storage', rnn(tensor(8, [1, 4], [4, 4])), 'FILE_CORRUPT', /beyond its storage/],
  ['a storage shorter than it says', rnn(tensor(1000, [1, 1000], [1000, 1])), 'FILE_CORRUPT', /beyond its storage/],
  [
    'a storage that is not there',
    rnn(tensor(8, [1, 8], [8, 1], 0, storage(8, '../x'))),
    'FILE_CORRUPT',
    /lacks a storage/,
  ],
  ['a negative offset', one(tensor(8, [4], [1], -4)), 'FILE_CORRUPT', /malformed/],
  ['no weights', archive(dict(['x', int(3)])), 'FILE_FORMAT', /no weights/],
  [
    'a dict within itself',
    archive([...proto, 0x7d, 0x71, 0, 0x28, ...word('state_dict'), 0x68, 0, 0x75, stop]),
    'FILE_FORMAT',
    /no weights/,
  ],
  ['dicts without end', archive(widePickle()), 'FILE_TOO_LARGE', /too many entries/],
  [
    'objects without end',
    archive([...proto, ...Array<number>(2_100_000).fill(0x5d), stop]),
    'FILE_TOO_LARGE',
    /objects/,
  ],
  ['a module within itself', archive(moduleInItself()), 'FILE_TOO_LARGE', /contain each other/],
];

/** Ten levels of dicts, each of which holds the next a thousand times. */
function widePickle(): number[] {
  const out = [...proto, 0x7d, 0x71, 0, 0x30];
  for (let level = 1; level < 10; level++) {
    out.push(0x7d, 0x28);
    for (let i = 0; i < 1000; i++) out.push(0x4d, i & 255, i >> 8, 0x68, level - 1);
    out.push(0x75, 0x71, level, 0x30);
  }
  return [...out, 0x68, 9, stop];
}

/** Linear layers that all look at one storage, each in another way. */
function overlapping(): Uint8Array {
  const width = 512;
  const layers = Array.from({ length: 140 }, (_, i): [string, number[]] => [
    `fc${i}.weight`,
    tensor(300_000, [width, width], [width, 1], i, storage(300_000)),
  ]);
  const lstm = ['weight_ih_l0', 'weight_hh_l0'].map((name): [string, number[]] => [
    `rnn.${name}`,
    tensor(300_000, [width, width], [width, 1]),
  ]);
  return archive(dict(...lstm, ...layers), 300_000);
}

function moduleInItself(): number[] {
  const object = [...global('my', 'Model'), 0x29, 0x81, 0x71, 0];
  const state = [0x7d, 0x28, ...word('_modules'), 0x7d, 0x28, ...word('again'), 0x68, 0, 0x75, 0x75];
  return [...proto, ...object, ...state, 0x62, stop];
}

describe('refused by name', () => {
  it.each(refused)('%s', async (_, bytes, code, message) => {
    const reading = readModel(bytes);
    await expect(reading).rejects.toMatchObject({ code });
    await expect(reading).rejects.toThrow(message);
  });

  it('the tar form of PyTorch 0.1', async () => {
    const bytes = new Uint8Array(1024);
    bytes.set(text('sys_info'));
    bytes.set(text('ustar'), 257);
    await expect(readModel(bytes)).rejects.toMatchObject({ code: 'FILE_VERSION' });
  });

  it('views that hold more than the file', async () => {
    const names = Array.from({ length: 140 }, (_, i) => ({ type: 'linear', weights: `fc${i}` }));
    const layers = [{ type: 'rnn', weights: 'rnn' }, ...names];
    const architecture = JSON.stringify({ version: 1, input: { features: 512 }, layers });
    await expect(readModel(overlapping(), { architecture })).rejects.toThrow(/more numbers than the file can/);
  });

  it('bytes after the last storage of the older form', async () => {
    const bytes = new Uint8Array([...fileOf('legacy.pt'), 0]);
    await expect(readModel(bytes)).rejects.toThrow(/follow the last storage/);
  });

  it('an older file at every length', async () => {
    const bytes = fileOf('legacy.pt');
    for (let length = 14; length < bytes.length; length += 97) {
      await expect(readModel(bytes.subarray(0, length))).rejects.toMatchObject({ name: 'GatefoldError' });
    }
  });
});

describe('an architecture file', () => {
  const file = fileOf('state.pt');
  const arch = (layers: unknown, more = {}) => JSON.stringify({ version: 1, input: { features: 3 }, layers, ...more });
  const lstm = { type: 'lstm', weights: 'lstm' };
  const norm = { type: 'layerNorm', weights: 'norm', epsilon: 1e-5 };
  const fc = { type: 'linear', weights: 'fc' };
  it.each([
    ['no YAML', '{', 'OPTION_INVALID', /architecture file/],
    [
      'an alias bomb',
      `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [${'*a,'.repeat(99)}]\nc: [${'*b,'.repeat(99)}]`,
      'OPTION_INVALID',
      /--arch/,
    ],
    ['another version', '{"version": 2}', 'OPTION_INVALID', /version/],
    ['an unknown layer', arch([{ type: 'attention' }]), 'OPTION_INVALID', /layers\.0/],
    ['an unknown key', arch([{ ...lstm, hidden: 3 }]), 'OPTION_INVALID', /hidden/],
    ['an unknown function', arch([{ type: 'activation', function: 'boom' }]), 'OPTION_INVALID', /function/],
    ['keys that do not exist', arch([{ ...lstm, weights: 'lstm2' }]), 'OPTION_INVALID', /lstm2\.weight_ih_l0/],
    ['the wrong cell', arch([{ ...lstm, type: 'gru' }]), 'MODEL_SHAPE', /a GRU/],
    ['widths that do not fit', arch([lstm, { ...fc, weights: 'norm' }]), 'MODEL_SHAPE', /norm\.weight/],
    ['the wrong number of features', arch([lstm, norm, fc], { input: { features: 4 } }), 'MODEL_SHAPE', /does not fit/],
    ['unused tensors', arch([lstm, { type: 'last' }]), 'FILE_UNUSED', /norm\.weight, norm\.bias, fc\.weight/],
    ['a source that does not exist', arch([{ ...lstm, from: 'x' }]), 'OPTION_INVALID', /no earlier layer/],
    ['a final state of no recurrent layer', arch([lstm, norm, { type: 'finalState' }]), 'OPTION_INVALID', /recurrent/],
    ['gates of another cell', arch([{ ...lstm, gates: ['reset', 'update', 'candidate'] }]), 'OPTION_INVALID', /gates/],
  ])('with %s is refused', async (_, architecture, code, message) => {
    const reading = readModel(file, { architecture });
    await expect(reading).rejects.toMatchObject({ code });
    await expect(reading).rejects.toThrow(message);
  });
});
