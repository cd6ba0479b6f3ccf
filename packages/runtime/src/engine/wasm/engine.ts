import { fail } from '../../errors/index.ts';
import type { Engine, Machine } from '../types.ts';
import { host, type WasmMemory, type WasmModule } from './host.ts';
import { unpack } from './unpack.ts';

const PAGE = 65536;

/** One build of the kernels. The module is compiled once per engine object, synchronously unless prepared. */
export class WasmEngine implements Engine {
  readonly name: string;
  private readonly text: string;
  private readonly probe: (engine: WasmEngine) => string | undefined;
  private bytes: Uint8Array | undefined;
  private module: WasmModule | undefined;
  /** What `unavailable` found; null before it was asked. */
  private verdict: string | undefined | null = null;

  /** `probe` says what is wrong with results of the compiled module, which it may run. */
  constructor(name: string, text: string, probe: (engine: WasmEngine) => string | undefined = () => undefined) {
    this.name = name;
    this.text = text;
    this.probe = probe;
  }

  unavailable(): string | undefined {
    if (this.verdict === null) this.verdict = this.examine();
    return this.verdict;
  }

  create(bytes: number): Machine {
    const reason = this.unavailable();
    if (reason !== undefined)
      fail('ENGINE_UNAVAILABLE', `the ${this.name} engine does not run here`, { found: reason });
    return this.instantiate(bytes);
  }

  async prepare(): Promise<void> {
    if (host?.validate(this.binary())) this.module ??= await host.compile(this.binary());
  }

  /** A machine without the check that the engine may be used: what the probe runs on. */
  instantiate(bytes: number): Machine {
    const api = host ?? fail('ENGINE_UNAVAILABLE', 'there is no WebAssembly here');
    this.module ??= new api.Module(this.binary());
    const memory = allocate(() => new api.Memory({ initial: Math.max(1, Math.ceil(bytes / PAGE)) }), bytes);
    const { exports } = new api.Instance(this.module, { env: { memory } });
    return new WasmMachine(memory, exports.run as (pc: number) => void);
  }

  private examine(): string | undefined {
    if (!host) return 'there is no WebAssembly';
    if (!host.validate(this.binary())) return `WebAssembly lacks ${this.name} instructions`;
    try {
      this.module ??= new host.Module(this.binary());
    } catch (error) {
      // A page's content security policy may forbid it.
      return String(error);
    }
    return this.probe(this);
  }

  private binary(): Uint8Array {
    this.bytes ??= unpack(this.text);
    return this.bytes;
  }
}

class WasmMachine implements Machine {
  readonly memory: WasmMemory;
  readonly run: (pc: number) => void;

  constructor(memory: WasmMemory, run: (pc: number) => void) {
    this.memory = memory;
    this.run = run;
  }

  reserve(bytes: number): void {
    const missing = bytes - this.memory.buffer.byteLength;
    if (missing > 0) allocate(() => this.memory.grow(Math.ceil(missing / PAGE)), bytes);
  }
}

/** WebAssembly throws a RangeError where it cannot give the pages. */
function allocate<T>(make: () => T, bytes: number): T {
  try {
    return make();
  } catch {
    return fail('MEMORY_LIMIT', 'the memory cannot be allocated', { found: `${bytes} bytes` });
  }
}
