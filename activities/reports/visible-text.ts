/**
 * What models and people wrote, made safe to look at. A terminal would obey escape sequences and a page would reorder
 * text at bidirectional overrides, so both are shown instead of obeyed. Line breaks and tabs stay. HTML escaping is apart.
 *
 * @param text shown as JSON where it is none after all: states and messages may come from anybody
 */
export function visibleText(text: unknown): string {
  return (typeof text === 'string' ? text : JSON.stringify(text ?? null))
    .replace(/\r\n?/gu, '\n')
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/gu, (character) =>
      String.fromCodePoint(0x2400 + character.charCodeAt(0)),
    )
    .replace(/[\u007f-\u009f\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c\ufffe\uffff]/gu, '\ufffd')
    .replace(/[\ud800-\udfff]/gu, '\ufffd');
}

/** One line of at most `width` characters. */
export function oneLine(text: unknown, width = 200): string {
  const line = visibleText(text).replace(/\s+/gu, ' ').trim();
  return line.length <= width ? line : `${line.slice(0, Math.max(0, width - 1))}…`;
}
