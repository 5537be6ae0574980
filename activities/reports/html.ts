import { visibleText } from './visible-text.ts';

/** Markup that may go into the page as it is. Only {@link html} and {@link svgMarkup} make it. */
export type Html = { readonly markup: string };

type Part = Html | string | number | null | undefined | false | readonly Html[];

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Text for an element or a quoted attribute. Control characters and bidirectional overrides are made visible. */
export function escapeHtml(text: string): string {
  return visibleText(text).replace(/[&<>"']/gu, (character) => entities[character] ?? character);
}

function part(value: Part): string {
  if (value === null || value === undefined || value === false) return '';
  if (typeof value === 'string') return escapeHtml(value);
  if (typeof value === 'number') return escapeHtml(String(value));
  return 'markup' in value ? value.markup : value.map((piece) => piece.markup).join('');
}

/** Template tag: what is interpolated is text and gets escaped, unless it is {@link Html} already. */
export function html(strings: TemplateStringsArray, ...values: Part[]): Html {
  let markup = strings[0] ?? '';
  values.forEach((value, index) => {
    markup += part(value) + (strings[index + 1] ?? '');
  });
  return { markup };
}

/** The output of the plot library, which escapes the text in it itself. A script in it would be an error. */
export function svgMarkup(svg: string): Html {
  if (!svg.startsWith('<svg') || /<(script|foreignObject|iframe)|\son\w+\s*=/iu.test(svg.replace(/>[^<]*</gu, '><')))
    throw new Error('The rendered plot holds more than shapes and text.');
  return { markup: svg };
}
