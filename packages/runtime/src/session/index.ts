export type { Inputs, Numbers } from './ports.ts';
export { Session, type SessionOptions } from './session.ts';
export { Stream } from './stream.ts';
