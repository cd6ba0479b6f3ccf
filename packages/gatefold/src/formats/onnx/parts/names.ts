/** Names of which none is another's, nor another's with a direction behind it. */
export class UniqueNames {
  private readonly taken = new Set<string>();
  /** How often a name was wanted: a file may want one any number of times. */
  private readonly tried = new Map<string, number>();

  /** The name that is wanted, or one made of it. */
  take(wanted: string): string {
    const forms = (n: number) => {
      const name = n === 0 ? wanted : `${wanted}@${n}`;
      return [name, `${name}/forward`, `${name}/backward`] as const;
    };
    let n = this.tried.get(wanted) ?? 0;
    while (forms(n).some((form) => this.taken.has(form))) n++;
    this.tried.set(wanted, n + 1);
    for (const form of forms(n)) this.taken.add(form);
    return forms(n)[0];
  }
}
