import { figure, percent, percentRange, points, pointsRange } from '../../../domain/figures.ts';
import type { CriterionVerdict, GateCriterion, GateEvidence } from '../../../domain/gate-types.ts';
import { isGain } from '../../../domain/gate-verdict.ts';
import { html } from '../html.ts';
import type { Html } from '../html.ts';
import { count, shortDigest } from '../quantities.ts';
import { table, verdictBadge } from './section.ts';

/** Criteria of a gate with what each verdict rests on, and the earlier looks where the gate was extended. */
export const criteriaList = (evidence: GateEvidence, earlier: readonly GateEvidence[]): Html =>
  html`<ul class="criteria">
      ${evidence.criteria.map(
        (criterion) =>
          html`<li>${verdictBadge(criterion.verdict)} <span>${criterion.text} ${testWords(criterion)}</span></li>`,
      )}
    </ul>
    ${looksTable([...earlier, evidence])}`;

function testWords({ criterion, exact, bootstrap }: CriterionVerdict): Html {
  const words = [
    ...(exact ? [`${testName(criterion)} p = ${figure(exact.p)}, at most ${figure(exact.level)} passes`] : []),
    ...(bootstrap ? [`paired bootstrap ${pointsRange(bootstrap.low, bootstrap.high)}`] : []),
  ];
  return words.length === 0 ? html`` : html`<small class="test">${words.join('; ')}</small>`;
}

/** A mean is tested by Student's t, which is not exact. */
const testName = ({ metric }: GateCriterion): string => (metric === 'attribution' ? 'one-sided' : 'exact one-sided');

function looksTable(looks: readonly GateEvidence[]): Html {
  if (looks.length < 2) return html``;
  const rows = looks.flatMap(({ criteria, digest }, index) =>
    criteria.map((found, place) => {
      const { criterion, n, estimate, low, high, exact, verdict } = found;
      const gain = isGain(criterion.metric);
      return [
        html`${place === 0 ? html`<span class="group">Look ${index + 1}, <code>${shortDigest(digest)}</code></span>` : null}${criterion.metric}${criterion.over === undefined ? null : ` over ${criterion.over}`}`,
        count(n),
        n === 0 ? '–' : gain ? points(estimate) : percent(estimate),
        n === 0 ? 'not measured' : gain ? pointsRange(low, high) : percentRange(low, high),
        exact ? figure(exact.p) : '–',
        verdictBadge(verdict),
      ];
    }),
  );
  const numbers = ['n', 'estimate', 'interval', 'p'].map((title) => ({ title, number: true }));
  return html`<h4>Looks</h4>
    ${table([{ title: 'criterion' }, ...numbers, { title: 'verdict' }], rows, 'Looks at the gate before and after each extension')}`;
}
