/** The little of the WebAssembly API that the engines use; the runtime is compiled without any host's types. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

/** A compiled module, opaque. */
export type WasmModule = object;

interface WasmHost {
  readonly Module: new (bytes: Uint8Array) => WasmModule;
  readonly Instance: new (module: WasmModule, imports: object) => { readonly exports: Record<string, unknown> };
  readonly Memory: new (limits: { initial: number }) => WasmMemory;
  validate(bytes: Uint8Array): boolean;
  compile(bytes: Uint8Array): Promise<WasmModule>;
}

/** undefined where there is no WebAssembly. */
export const host = (globalThis as { WebAssembly?: WasmHost }).WebAssembly;
