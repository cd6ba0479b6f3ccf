import { sep } from 'node:path';

/** What reports call files by: the shortest ends of their paths that tell them apart. */
export function modelNames(paths: readonly string[]): string[] {
  const parts = paths.map((path) => path.split(sep));
  return paths.map((path, i) => {
    for (let count = 1; count < parts[i]!.length; count++) {
      const end = parts[i]!.slice(-count).join(sep);
      if (
        end !== '' &&
        paths.every((other, k) => k === i || parts[k]!.slice(-count).join(sep) !== end || other === path)
      )
        return end;
    }
    return path;
  });
}
