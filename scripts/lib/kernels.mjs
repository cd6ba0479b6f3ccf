// Compiles AssemblyScript kernels to one WebAssembly module.
import { writeFileSync } from 'node:fs';
import asc from 'assemblyscript/asc';

/** `relaxed` enables relaxed SIMD; `text`, a path, receives the module's text form. */
export async function compileKernels(entry, { relaxed = false, text } = {}) {
  let binary;
  const options = [
    entry,
    ...['--outFile', 'kernels.wasm', '-O3', '--converge', '--noAssert'],
    ...['--runtime', 'stub', '--importMemory', '--noExportMemory', '--use', 'abort='],
    ...['--enable', 'simd', ...(relaxed ? ['--enable', 'relaxed-simd'] : [])],
    // 201: addresses have 32 bits here, like every int; 112: v128 crosses no boundary.
    ...['--disableWarning', '201', '--disableWarning', '112'],
    // No data segments: the memory belongs to the caller.
    ...['--memoryBase', '0', '--initialMemory', '0'],
    ...(text ? ['--textFile', 'kernels.wat'] : []),
  ];
  const { error, stderr } = await asc.main(options, {
    writeFile(name, contents) {
      if (name.endsWith('.wasm')) binary = contents;
      else writeFileSync(text, contents);
    },
  });
  if (error) {
    console.error(stderr.toString());
    throw error;
  }
  return binary;
}
