import { visibleText } from './visible-text.ts';

/**
 * Markup that may go into the page as it is. Only {@link html}, {@link svgMarkup} and {@link styleSheet} make it: what was
 * read from a state or a message may look like it, but is no instance.
 */
class Markup {
  readonly #text: string;
  constructor(text: string) {
    this.#text = text;
  }

  get markup(): string {
    return this.#text;
  }

  /** Holds for nothing that was not made here, whatever its fields and its prototype. */
  static is(value: unknown): value is Markup {
    return typeof value === 'object' && value !== null && #text in value;
  }
}

export type Html = Markup;

type Part = Html | string | number | null | undefined | false | readonly Html[];

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Text for an element or a quoted attribute. Control characters and bidirectional overrides are made visible. */
export function escapeHtml(text: unknown): string {
  return visibleText(text).replace(/[&<>"']/gu, (character) => entities[character] ?? character);
}

function part(value: Part): string {
  if (value === null || value === undefined || value === false) return '';
  if (Markup.is(value)) return value.markup;
  if (Array.isArray(value) && value.every((piece) => Markup.is(piece))) {
    return value.map(({ markup }) => markup).join('');
  }
  return escapeHtml(value);
}

/** Template tag: what is interpolated is text and gets escaped, unless it is {@link Html} already. */
export function html(strings: TemplateStringsArray, ...values: Part[]): Html {
  let markup = strings[0] ?? '';
  values.forEach((value, index) => {
    markup += part(value) + (strings[index + 1] ?? '');
  });
  return new Markup(markup);
}

/** The report's own style sheet, for a `<style>` element. */
export const styleSheet = (css: string): Html => new Markup(css);

/** The output of the plot library, which escapes the text in it itself. A script in it would be an error. */
export function svgMarkup(svg: string): Html {
  if (!svg.startsWith('<svg') || /<(script|foreignObject|iframe)|\son\w+\s*=/iu.test(svg.replace(/>[^<]*</gu, '><')))
    throw new Error('The rendered plot holds more than shapes and text.');
  return new Markup(svg);
}
