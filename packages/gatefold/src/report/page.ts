// What all pages have in common: no script, no request.

const style = `
:root { color-scheme: light; font: 16px/1.5 system-ui, sans-serif; color: #1c2733; background: #f6f7f9; }
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { margin-top: 2.5rem; font-size: 1.2rem; }
.note { color: #5a6775; } .scroll { overflow-x: auto; }
table { border-collapse: collapse; background: #fff; min-width: 40rem; }
th, td { padding: .35rem .7rem; border-bottom: 1px solid #e3e7ec; text-align: right; white-space: nowrap; }
th:first-child, td:first-child, .left { text-align: left; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1rem; }
.weights td:last-child { white-space: normal; min-width: 18rem; }
figure { margin: 0; background: #fff; border-radius: .5rem; padding: .5rem; } svg { width: 100%; height: auto; }`;

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

export function table(head: readonly string[], rows: readonly (readonly string[])[], kind = 'models'): string {
  const cells = (tag: string, list: readonly string[]) =>
    list.map((text) => `<${tag}>${escapeHtml(text)}</${tag}>`).join('');
  return `<div class="scroll"><table class="${kind}"><tr>${cells('th', head)}</tr>${rows.map((row) => `<tr>${cells('td', row)}</tr>`).join('')}</table></div>`;
}

export function figures(list: readonly string[]): string {
  return `<div class="charts">${list.map((svg) => `<figure>${svg}</figure>`).join('')}</div>`;
}

export function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title><style>${style}</style></head><body>
<h1>${escapeHtml(title)}</h1>
${body}
</body></html>
`;
}
