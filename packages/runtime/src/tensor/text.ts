// The audio worklet of Chromium has no TextDecoder and no TextEncoder, so the runtime brings its own.

/** UTF-8 bytes of a string; lone surrogates become U+FFFD. */
export function utf8Encode(text: string): Uint8Array {
  const out = new Uint8Array(text.length * 3);
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    let c = text.charCodeAt(i);
    if (c < 0x80) {
      out[at++] = c;
      continue;
    }
    if (c >= 0xd800 && c <= 0xdfff) {
      c = text.codePointAt(i)!;
      if (c >= 0x10000) i++;
      else c = 0xfffd;
    }
    if (c < 0x800) out[at++] = 0xc0 | (c >> 6);
    else {
      if (c < 0x10000) out[at++] = 0xe0 | (c >> 12);
      else {
        out[at++] = 0xf0 | (c >> 18);
        out[at++] = 0x80 | ((c >> 12) & 63);
      }
      out[at++] = 0x80 | ((c >> 6) & 63);
    }
    out[at++] = 0x80 | (c & 63);
  }
  return out.slice(0, at);
}

/** Strict UTF-8: returns undefined where the bytes are malformed (overlong, surrogate, truncated, out of range). */
export function utf8Decode(bytes: Uint8Array): string | undefined {
  const parts: string[] = [];
  let units: number[] = [];
  for (let i = 0; i < bytes.length; ) {
    const lead = bytes[i++]!;
    let code = lead;
    if (lead >= 0x80) {
      const more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc2 ? 1 : 0;
      if (more === 0 || lead > 0xf4 || i + more > bytes.length) return undefined;
      code = lead & (0x3f >> more);
      for (let k = 0; k < more; k++) {
        const next = bytes[i++]!;
        if ((next & 0xc0) !== 0x80) return undefined;
        code = (code << 6) | (next & 63);
      }
      const least = more === 1 ? 0x80 : more === 2 ? 0x800 : 0x10000;
      if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return undefined;
    }
    units.push(code);
    if (units.length === 4096) {
      parts.push(String.fromCodePoint(...units));
      units = [];
    }
  }
  parts.push(String.fromCodePoint(...units));
  return parts.join('');
}
