import { fail } from '@gatefold/runtime';
import type { PickleCursor } from './cursor.ts';
import type { PickleState } from './state.ts';
import { type PickleValue, PyDict, PyList } from './values.ts';

type Instruction = (state: PickleState, cursor: PickleCursor) => void;

/** An instruction that only reads a value. */
const read =
  (value: (cursor: PickleCursor, state: PickleState) => PickleValue): Instruction =>
  (state, cursor) =>
    state.push(value(cursor, state));

function checkProtocol(_: PickleState, cursor: PickleCursor): void {
  const version = cursor.u8();
  if (version <= 5) return;
  fail('FILE_VERSION', 'the pickle is of a protocol that is not known', {
    place: cursor.where(),
    expected: '0 to 5',
    found: `${version}`,
  });
}

/** Protocol 0 writes booleans as the integers 00 and 01. */
function integerOfLine(cursor: PickleCursor): PickleValue {
  const [first, second, third] = cursor.bytes.subarray(cursor.at, cursor.at + 3);
  if (first === 0x30 && (second === 0x30 || second === 0x31) && third === 10) return cursor.line() === '01';
  return cursor.decimal();
}

const specials: Readonly<Record<string, number>> = { nan: Number.NaN, inf: Infinity, '-inf': -Infinity };

function floatOfLine(cursor: PickleCursor, state: PickleState): number {
  const text = cursor.line();
  if (Object.hasOwn(specials, text)) return specials[text]!;
  return text.length < 64 && /^[+-]?[\d.]+(e[+-]?\d+)?$/i.test(text)
    ? Number(text)
    : state.corrupt('a number in the pickle is malformed');
}

/** Strings of Python 2 are bytes: Latin-1 keeps them all. */
function latin1(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 4096) text += String.fromCharCode(...bytes.subarray(i, i + 4096));
  return text;
}

function tuple(state: PickleState, count: number): void {
  const items = Array.from({ length: count }, () => state.pop());
  state.push(new PyList('tuple', items.reverse()));
}

function setItem(state: PickleState): void {
  const value = state.pop();
  state.setItems([state.pop(), value]);
}

function dictOfStack(state: PickleState): void {
  const values = state.popToMark();
  state.push(new PyDict());
  state.setItems(values);
}

function globalOfStack(state: PickleState): void {
  const name = state.pop();
  state.global(state.pop(), name);
}

function globalOfLines(state: PickleState, cursor: PickleCursor): void {
  const module = cursor.line();
  state.global(module, cursor.line());
}

function reduce(state: PickleState): void {
  const args = state.popItems();
  state.call(state.pop(), args);
}

function newObject(state: PickleState): void {
  const args = state.popItems();
  state.object(state.pop(), args);
}

/** With named arguments, which are not kept. */
function newObjectNamed(state: PickleState): void {
  state.pop();
  newObject(state);
}

/** Protocol 0: calls a class with the arguments above the mark. */
function instance(state: PickleState, cursor: PickleCursor): void {
  const args = state.popToMark();
  globalOfLines(state, cursor);
  state.call(state.pop(), args);
}

function objectOfStack(state: PickleState): void {
  const [type = null, ...args] = state.popToMark();
  state.call(type, args);
}

/** By opcode: what the instructions of protocols 0 to 5 do, but for STOP, extensions and out-of-band buffers. */
export const instructions: ReadonlyMap<number, Instruction> = new Map<number, Instruction>([
  // The program itself
  [0x80, checkProtocol],
  [0x95, (_, cursor) => void cursor.u64()], // frame
  [0x28, (state) => state.pushMark()],
  [0x30, (state) => state.drop()],
  [0x31, (state) => void state.popToMark()],
  [0x32, (state) => state.push(state.top())],
  [0x70, (state, cursor) => state.put(cursor.decimal())],
  [0x71, (state, cursor) => state.put(cursor.u8())],
  [0x72, (state, cursor) => state.put(cursor.u32())],
  [0x94, (state) => state.memoize()],
  [0x67, (state, cursor) => state.get(cursor.decimal())],
  [0x68, (state, cursor) => state.get(cursor.u8())],
  [0x6a, (state, cursor) => state.get(cursor.u32())],
  // Numbers
  [0x4e, read(() => null)],
  [0x88, read(() => true)],
  [0x89, read(() => false)],
  [0x49, read(integerOfLine)],
  [0x4c, read((cursor) => cursor.decimal())],
  [0x4a, read((cursor) => cursor.i32())],
  [0x4b, read((cursor) => cursor.u8())],
  [0x4d, read((cursor) => cursor.u16())],
  [0x8a, read((cursor) => cursor.long(cursor.u8()))],
  [0x8b, read((cursor) => cursor.long(cursor.u32()))],
  [0x46, read(floatOfLine)],
  [0x47, read((cursor) => cursor.f64())],
  // Texts and bytes
  [0x53, read((cursor) => cursor.line().replace(/^(['"])(.*)\1$/s, '$2'))],
  [0x56, read((cursor) => cursor.line())],
  [0x58, read((cursor) => cursor.text(cursor.u32()))],
  [0x8c, read((cursor) => cursor.text(cursor.u8()))],
  [0x8d, read((cursor) => cursor.text(cursor.u64()))],
  [0x55, read((cursor) => latin1(cursor.take(cursor.u8())))],
  [0x54, read((cursor) => latin1(cursor.take(cursor.u32())))],
  [0x43, read((cursor) => cursor.take(cursor.u8()))],
  [0x42, read((cursor) => cursor.take(cursor.u32()))],
  [0x8e, read((cursor) => cursor.take(cursor.u64()))],
  [0x96, read((cursor) => cursor.take(cursor.u64()))],
  // Lists, tuples, sets, dicts
  [0x5d, read(() => new PyList('list'))],
  [0x6c, read((_, state) => new PyList('list', state.popToMark()))],
  [0x61, (state) => state.extend([state.pop()])],
  [0x65, (state) => state.extend(state.popToMark())],
  [0x8f, read(() => new PyList('set'))],
  [0x90, (state) => state.extend(state.popToMark())],
  [0x91, read((_, state) => new PyList('set', state.popToMark()))],
  [0x29, read(() => new PyList('tuple'))],
  [0x74, read((_, state) => new PyList('tuple', state.popToMark()))],
  [0x85, (state) => tuple(state, 1)],
  [0x86, (state) => tuple(state, 2)],
  [0x87, (state) => tuple(state, 3)],
  [0x7d, read(() => new PyDict())],
  [0x64, dictOfStack],
  [0x73, setItem],
  [0x75, (state) => state.setItems(state.popToMark())],
  // Names, calls, objects
  [0x63, globalOfLines],
  [0x93, globalOfStack],
  [0x52, reduce],
  [0x81, newObject],
  [0x92, newObjectNamed],
  [0x69, instance],
  [0x6f, objectOfStack],
  [0x62, (state) => state.build(state.pop())],
  [0x50, (state, cursor) => state.persistent(cursor.line())],
  [0x51, (state) => state.persistent(state.pop())],
]);
