import { describe, expect, it } from 'vitest';
import { escapeHtml, html, svgMarkup } from '../../../activities/reports/html.ts';
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
