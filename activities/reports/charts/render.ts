import type { TopLevelSpec } from 'vega-lite';
import { html, svgMarkup } from '../html.ts';
import type { Html } from '../html.ts';

/** What a chart is drawn from; `width` is the whole picture's, in CSS pixels, axes included. */
export type Draw = (width: number) => TopLevelSpec;

const look = {
  font: 'inherit',
  background: null,
  view: { stroke: null },
  axis: {
    labelColor: 'var(--soft)',
    titleColor: 'var(--soft)',
    titleFontWeight: 400,
    labelFontSize: 11,
    titleFontSize: 11,
    gridColor: 'var(--line)',
    domainColor: 'var(--line-strong)',
    tickColor: 'var(--line-strong)',
    labelPadding: 6,
    titlePadding: 8,
  },
  axisX: { grid: false, tickSize: 4 },
  axisY: { domain: false, ticks: false },
  legend: { disable: true },
} as const;

/**
 * Draws with Vega-Lite and renders to SVG as text: no DOM, no canvas, no script in the page. Colours are the page's CSS
 * variables, so that dark mode and print need no second picture; the narrow version is drawn anew, since scaled-down
 * letters cannot be read on a telephone.
 *
 * @param caption what the picture shows, for people who cannot see it too
 */
export async function chart(
  draw: Draw,
  caption: string,
  options: { note?: string; wide?: number } = {},
): Promise<Html> {
  const wide = await render(draw(options.wide ?? 896));
  const narrow = await render(draw(340));
  return html`<figure class="chart" role="group" aria-label="${caption}">
    <div class="wide">${wide}</div>
    <div class="narrow">${narrow}</div>
    ${options.note ? html`<figcaption>${options.note}</figcaption>` : null}
  </figure>`;
}

/** Loaded on first use: a worker that never writes a report need not carry the plot library. */
async function render(spec: TopLevelSpec): Promise<Html> {
  const [{ compile }, { parse, View }] = await Promise.all([import('vega-lite'), import('vega')]);
  const whole = { autosize: { type: 'fit', contains: 'padding' }, padding: 4, ...spec, config: look };
  const compiled = compile(whole as unknown as TopLevelSpec);
  const view = new View(parse(compiled.spec), { renderer: 'none' });
  try {
    return svgMarkup(await view.toSVG());
  } finally {
    view.finalize();
  }
}
