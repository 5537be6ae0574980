import { describe, expect, it } from 'vitest';
import { escapeHtml, html, svgMarkup } from '../../../activities/reports/html.ts';
import { readState } from '../../../activities/recipes/state-shape.ts';
import { decisionWords } from '../../../cli/watch/state-words.ts';
import type { AttributedItem } from '../../../domain/records.ts';
import { referenceRun } from './reference-run.ts';
import { render } from './rendered.ts';

const attack = `</pre><script>alert(1)</script><img src=x onerror=alert(1)>"'&\u0000\u001b[2J\u202e`;

const attackedTokens = (item: unknown): unknown => ({
  ...(item as AttributedItem),
  answer: attack,
  tokens: (item as AttributedItem).tokens.map((token) => ({ ...token, text: attack })),
});

it('what models, teachers and people wrote cannot become markup', async () => {
  const run = referenceRun({ teacher: `gpt ${attack}` });
  for (const [uri, items] of run.files)
    if (/items|drafts|data/u.test(uri))
      run.files.set(
        uri,
        items.map((item) => ({ ...(item as object), text: attack, question: attack })),
      );
    else if (/attributions/u.test(uri)) run.files.set(uri, items.map(attackedTokens));
  const { state } = run;
  const decision = state.decisions[2];
  if (decision) Object.assign(decision, { note: attack, by: attack });
  const phase = state.phases[1];
  if (phase) {
    phase.dataReport.steps[0] = {
      name: attack,
      before: { yes: 1, no: 1 },
      after: { yes: 1, no: 0 },
      removed: [{ reason: attack, counts: { yes: 0, no: 1 } }],
    };
    if (phase.evidence)
      Object.assign(phase.evidence, { recommendation: { choice: 'fix', reason: attack }, digest: attack });
    for (const criterion of phase.evidence?.criteria ?? []) criterion.text = attack;
  }
  Object.assign(state, {
    run: `r${attack}`,
    recipeName: attack,
    conclusion: attack,
    stage: 'stopped',
    unreadable: [{ at: attack, text: attack, refusal: attack }],
  });
  const { page } = await render(run);
  const body = page.replace(/<style>[\s\S]*?<\/style>/u, '');
  expect(body).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
  expect(body).toMatch(/class="token \w+[^"]*" style="--weight: \d\.\d\d">&lt;\/pre&gt;&lt;script&gt;/u);
  expect(body).not.toMatch(/<script|<img|\u0000|\u001b|\u202e/u);
  expect((body.match(/<pre[ >]/gu) ?? []).length).toBe((body.match(/<\/pre>/gu) ?? []).length);
});

/** Every place of a state that holds a text, as a function that puts something else there and returns what was there. */
function places(value: unknown, path: string[] = []): { path: string; put: (other: unknown) => unknown }[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    typeof inner === 'string'
      ? [
          {
            path: [...path, name].join('.'),
            put: (other: unknown) => {
              const before: unknown = inner;
              (value as Record<string, unknown>)[name] = other;
              return before;
            },
          },
        ]
      : places(inner, [...path, name]),
  );
}
const hostile = '<script>alert(1)</script><meta http-equiv=refresh>';
const likeMarkup = (): Record<string, unknown> => ({
  'an object with markup': { markup: hostile },
  'a list of such': [{ markup: hostile }],
  'one of another prototype': Object.assign(Object.create(html`<b></b>`) as object, { text: hostile }),
  'one that looks private': { '#text': hostile, markup: hostile, text: hostile },
});

it.each(Object.keys(likeMarkup()))(
  'no field of a state takes %s for markup: it is refused, or escaped',
  async (kind) => {
    const odd = likeMarkup()[kind];
    const run = referenceRun();
    run.state = structuredClone(run.state);
    // One of each kind of place: the second attempt has the fields of the first.
    const kinds = Map.groupBy(places(run.state), ({ path }) => path.replaceAll(/[.]\d+[.]/gu, '.*.'));
    expect(kinds.size).toBeGreaterThan(80);
    const passed = [...kinds.values()].filter(([place]) => {
      const before = place?.put(odd);
      try {
        readState(run.state, 's3://b/state.json');
        return true;
      } catch (error) {
        expect(error).toMatchObject({ type: 'ArtefactDamaged' });
        return false;
      } finally {
        place?.put(before);
      }
    });
    // The recipe has a schema of its own.
    const paths = passed.map(([place]) => place?.path);
    expect(paths.filter((path) => path?.startsWith('recipe.') !== true)).toEqual([]);
    for (const [place] of passed) place?.put(odd);
    expect((await render(run)).page).not.toMatch(/<script|<meta http-equiv=refresh/u);
  },
);

it('a state that ratchet has written is read as it is', () => {
  const { state } = referenceRun();
  const stored: unknown = JSON.parse(JSON.stringify(state));
  expect(readState(stored, 's3://b/state.json')).toBe(stored);
});

it.each([null, 7, 'text', [], {}, { run: 'r' }, { phases: {} }])('%j is no state', (value) => {
  expect(() => readState(value, 's3://b/state.json')).toThrow(/s3:\/\/b\/state.json is not the state of a run: /u);
});

it('markup that reached a state some other way is shown, not obeyed', async () => {
  const run = referenceRun();
  const { state } = run;
  for (const decision of state.decisions)
    Object.assign(decision, { note: { markup: hostile }, by: [{ markup: hostile }] });
  Object.assign(state, { conclusion: { markup: hostile }, recipeName: [{ markup: hostile }] });
  state.unreadable = [{ at: 'now', text: { markup: hostile } as never, refusal: [{ markup: hostile }] as never }];
  const { page } = await render(run);
  expect(page).not.toMatch(/<script|<meta http-equiv=refresh/u);
  expect(page).toContain('&lt;script&gt;');
});

it('words of odd decisions are made, whatever they hold', () => {
  const odd = {
    gate: 'A',
    choice: 'approve',
    at: 'now',
    attempt: 1,
    accepted: false,
    override: false,
    source: 'signal',
  };
  for (const refusal of [[{ markup: hostile }], 7, null, {}]) {
    expect(decisionWords({ ...odd, refusal, by: refusal, note: refusal } as never)).toContain('refused');
  }
});

describe('escaping', () => {
  it('covers attributes and text', () => {
    expect(escapeHtml(`<a b='c' d="e">&`)).toBe('&lt;a b=&#39;c&#39; d=&quot;e&quot;&gt;&amp;');
    expect(html`<p title="${'"x'}">${'<b>'}${html`<i>${'&'}</i>`}${null}${3}</p>`.markup).toBe(
      '<p title="&quot;x">&lt;b&gt;<i>&amp;</i>3</p>',
    );
  });

  it('refuses a plot with a script in it', () => {
    expect(() => svgMarkup('<svg><script>x</script></svg>')).toThrow(/more than shapes/);
    expect(() => svgMarkup('<svg><g onload="x"/></svg>')).toThrow(/more than shapes/);
    expect(svgMarkup('<svg><text>a on b=c</text></svg>').markup).toContain('on b=c');
  });
});
