import type { Engine } from './engine/types.ts';
import { bestEngine } from './engine/wasm/index.ts';
import type { Model } from './model/index.ts';
import { Session, type SessionOptions } from './session/index.ts';

/**
 * A session on the fastest engine that is exact here, or on the one given. Works inside an audio worklet: nothing is
 * fetched, nothing waits. On a browser's main thread, await `engine.prepare()` first where large modules may not be
 * compiled synchronously.
 * @throws MODEL_*, MEMORY_LIMIT, ENGINE_UNAVAILABLE
 */
export function createSession(model: Model, options: Partial<SessionOptions> & { engine?: Engine } = {}): Session {
  return new Session(model, { engine: bestEngine(), ...options });
}
