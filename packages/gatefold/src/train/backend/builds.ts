import { relaxed, simd128 } from './generated/kernels.ts';

/** The kernels for every WebAssembly with SIMD, and those whose products fuse multiplication and addition. */
export type Build = 'simd128' | 'relaxed';

interface Binary {
  readonly bytes: Uint8Array<ArrayBuffer>;
  module?: WebAssembly.Module;
}

const decoded = (text: string): Binary => ({ bytes: Uint8Array.from(atob(text), (char) => char.charCodeAt(0)) });
const binaries: Partial<Record<Build, Binary>> = {};

function binaryOf(build: Build): Binary {
  binaries[build] ??= decoded(build === 'relaxed' ? relaxed : simd128);
  return binaries[build];
}

/** The fastest that runs here. Both are exact to the last place but one; their bits differ. */
export function bestBuild(): Build {
  return WebAssembly.validate(binaryOf('relaxed').bytes) ? 'relaxed' : 'simd128';
}

/** A build's module, compiled once. */
export function moduleOf(build: Build): WebAssembly.Module {
  const binary = binaryOf(build);
  binary.module ??= new WebAssembly.Module(binary.bytes);
  return binary.module;
}
