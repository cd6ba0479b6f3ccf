/** Mulberry32: seeded numbers in [0, 1). */
export function randomSource(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const interesting = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff];

/** What stands in a JSON file where something else should. */
const odd = [
  null,
  true,
  '',
  'NaN',
  [],
  {},
  -1,
  0,
  1.5,
  1e40,
  2 ** 53,
  [[]],
  [-1],
  '__proto__',
  '../x',
  'a'.repeat(300),
];

/** One value of a JSON text replaced, removed, doubled or wrapped; undefined where the bytes are no JSON object. */
export function mutateJson(seed, random) {
  if (seed[0] !== 0x7b) return undefined;
  const below = (n) => Math.floor(random() * n);
  const root = JSON.parse(new TextDecoder().decode(seed));
  for (let n = 1 + below(2); n > 0; n--) {
    let parent = root;
    let key = pick(parent, below);
    // Down to somewhere: leaves are many, so that each level is left with a chance of its own.
    while (
      typeof parent[key] === 'object' &&
      parent[key] !== null &&
      pick(parent[key], below) !== undefined &&
      random() < 0.85
    ) {
      parent = parent[key];
      key = pick(parent, below);
    }
    if (key === undefined) break;
    const value = parent[key];
    const kind = below(5);
    if (kind === 0) delete parent[key];
    else if (kind === 1 && Array.isArray(parent)) parent.splice(Number(key), 0, value);
    else if (kind === 2) parent[key] = [value];
    else if (kind === 3 && typeof value === 'number') parent[key] = value + below(5) - 2;
    else parent[key] = odd[below(odd.length)];
  }
  return new TextEncoder().encode(JSON.stringify(root));
}

function pick(value, below) {
  const keys = Object.keys(value);
  return keys[below(keys.length)];
}

/** One to four changes: flipped bits, cut or grown ends, moved or erased blocks, length fields made odd, a splice. */
export function mutate(seed, others, random) {
  const below = (n) => Math.floor(random() * n);
  let bytes = Uint8Array.from(seed);
  const kinds = [
    () => {
      for (let i = 1 + below(8); i > 0; i--) bytes[below(bytes.length)] ^= 1 << below(8);
    },
    () => {
      bytes = bytes.slice(0, below(bytes.length));
    },
    () => {
      const grown = new Uint8Array(bytes.length + 1 + below(64));
      grown.set(bytes);
      bytes = grown;
    },
    () => {
      const size = 1 + below(Math.min(64, bytes.length));
      bytes.copyWithin(below(bytes.length), below(bytes.length), below(bytes.length) + size);
    },
    () => bytes.fill(below(2) * 255, below(bytes.length), below(bytes.length)),
    () => {
      // Lengths and offsets stand mostly in the first part of a file, at multiples of 4.
      const at = (below(Math.min(bytes.length, 2048)) >> 2) << 2;
      const value = interesting[below(interesting.length)];
      for (let i = 0; i < 4 && at + i < bytes.length; i++) bytes[at + i] = (value >>> (8 * i)) & 255;
    },
    () => {
      const other = others[below(others.length)];
      const cut = below(bytes.length);
      const tail = other.slice(below(other.length));
      const joined = new Uint8Array(cut + tail.length);
      joined.set(bytes.subarray(0, cut));
      joined.set(tail, cut);
      bytes = joined;
    },
    () => {
      // Digits of a JSON header.
      for (let tries = 0; tries < 200; tries++) {
        const at = below(bytes.length);
        if (bytes[at] >= 0x30 && bytes[at] <= 0x39) {
          bytes[at] = 0x30 + below(10);
          return;
        }
      }
    },
  ];
  for (let n = 1 + below(4); n > 0 && bytes.length > 0; n--) kinds[below(kinds.length)]();
  return bytes;
}
