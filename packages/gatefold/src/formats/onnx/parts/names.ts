/** A name that neither itself nor with a direction behind it is `taken` yet. */
export function uniqueName(taken: Set<string>, wanted: string): string {
  const forms = (name: string) => [name, `${name}/forward`, `${name}/backward`];
  let name = wanted;
  for (let n = 1; forms(name).some((form) => taken.has(form)); n++) name = `${wanted}@${n}`;
  for (const form of forms(name)) taken.add(form);
  return name;
}
