import { html } from '../html.ts';
import type { Html } from '../html.ts';
import { count, shortDigest } from '../quantities.ts';
import { remedyWords } from '../remedy-words.ts';
import type { ReportData } from '../report-data.ts';
import { section, table } from './section.ts';

/** A recipe of another version: what this one cannot read of it. */
const unreadWords = (unread: readonly string[]): Html | null =>
  unread.length === 0
    ? null
    : html`<p>
        Written for another version of ratchet. Not read:
        ${unread.slice(0, 20).join(', ')}${unread.length > 20 ? ' and more' : ''}. The rest is shown.
      </p>`;

/** What this run set otherwise than the defaults, what gates changed, and where every artefact lies. */
export function recipeSection({ recipe, recipeName, recipeDigest, artefacts }: ReportData): Html {
  const differences = recipe.differences.map(({ field, default: normal, value }) => [
    html`<code>${field}</code>`,
    long(normal),
    long(value),
  ]);
  const changed = recipe.attempts.map(({ attempt, remedies }) => [attempt, remedyWords(remedies)]);
  const files = artefacts.map(({ name, ref }) => [
    name,
    count(ref.rows),
    count(ref.bytes),
    html`<code>${shortDigest(ref.sha256)}</code>`,
    html`<code class="uri">${ref.uri}</code>`,
  ]);
  return section(
    'recipe',
    'Recipe and artefacts',
    `${recipeName}, sha256 ${shortDigest(recipeDigest)}: what it sets otherwise than the defaults, which are the numbers of the reference run.`,
    html`${unreadWords(recipe.unread)}
      ${table([{ title: 'field' }, { title: 'default' }, { title: 'this run' }], differences, 'Recipe against the defaults')}
      ${
        changed.length === 0
          ? null
          : html`<h3>Changed by decisions</h3>
              ${table([{ title: 'attempt' }, { title: 'changed' }], changed, 'Changes by attempt')}`
      }
      <details>
        <summary>The whole resolved recipe</summary>
        <pre>${JSON.stringify(recipe.resolved, null, 2)}</pre>
      </details>
      <details>
        <summary>Artefacts with their digests</summary>
        ${table([{ title: 'artefact' }, { title: 'rows', number: true }, { title: 'bytes', number: true }, { title: 'sha256' }, { title: 'where' }], files, 'Artefacts')}
      </details>`,
  );
}

const long = (value: string): Html =>
  html`<code class="value">${value.length > 120 ? `${value.slice(0, 119)}…` : value}</code>`;
