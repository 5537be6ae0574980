import { html } from '../html.ts';
import type { Html } from '../html.ts';
import type { Series } from '../charts/curve-charts.ts';

/** One part of the page; `lede` is the sentence that says what to look for. */
export function section(id: string, title: string, lede: string | null, body: Html): Html {
  return html`<section id="${id}" aria-labelledby="${id}-title">
    <h2 id="${id}-title">${title}</h2>
    ${lede === null ? null : html`<p class="lede">${lede}</p>`} ${body}
  </section>`;
}

export type Column = { title: string; number?: boolean };

/** A table that scrolls sideways within itself on a narrow screen. Cells are text unless they are markup already. */
export function table(columns: Column[], rows: (Html | string)[][], caption: string): Html {
  const cell = (content: Html | string, index: number) => {
    const kind = columns[index]?.number ? 'number' : '';
    return index === 0
      ? html`<th scope="row" class="${kind}">${content}</th>`
      : html`<td class="${kind}">${content}</td>`;
  };
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}">
    <table>
      <caption class="unseen">
        ${caption}
      </caption>
      <thead>
        <tr>
          ${columns.map(({ title, number }) => html`<th scope="col" class="${number ? 'number' : ''}">${title}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) =>
            html`<tr>
              ${row.map(cell)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

const marks = { pass: '✓', fail: '✗', inconclusive: '?' } as const;

/** A verdict by sign, word and colour, so that none of them is needed alone. */
export function verdictBadge(verdict: keyof typeof marks): Html {
  return html`<span class="badge ${verdict}"><span aria-hidden="true">${marks[verdict]}</span> ${verdict}</span>`;
}

/** Names the lines of a plot. One line needs no legend. */
export function legend(series: Pick<Series, 'name' | 'colour' | 'dash'>[]): Html {
  if (series.length < 2) return html``;
  return html`<ul class="legend">
    ${series.map(
      ({ name, colour, dash }) =>
        html`<li><span class="${dash ? 'swatch dashed' : 'swatch'}" style="color:${colour}"></span>${name}</li>`,
    )}
  </ul>`;
}
