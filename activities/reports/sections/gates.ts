import { attemptLabel } from '../charts/accuracy-chart.ts';
import { html } from '../html.ts';
import { failedText } from '../../../domain/failed-experiment.ts';
import type { Html } from '../html.ts';
import { budgetLines } from '../budget-words.ts';
import { instant, shortDigest, usd } from '../quantities.ts';
import { remedyWords } from '../remedy-words.ts';
import type { GateReport, ReportData } from '../report-data.ts';
import { outcomeOf, reasonOf } from '../../../domain/diagnosis-words.ts';
import type { Decision, Experiment, Finding } from '../../../domain/gate-types.ts';
import { criteriaList } from './criteria.ts';
import { section, verdictBadge } from './section.ts';

const sources: Record<Decision['source'], string> = {
  signal: 'by signal',
  update: 'by update',
  policy: 'by the recipe’s policy',
  deadline: 'because the deadline passed',
};

/** Every opening of a gate: evidence, criteria, diagnosis, who decided what, when and why. */
export function gatesSection(data: ReportData): Html {
  const stray = data.strayDecisions;
  if (data.gates.length + stray.length + data.unreadable.length === 0) return html``;
  return section(
    'gates',
    'Gates and decisions',
    'A phase becomes the new base only here. What was refused is kept too.',
    html`${data.gates.map(gateCard)}
    ${
      stray.length === 0
        ? null
        : html`<article class="card">
            <h3>Sent when no such gate was open</h3>
            <ol class="decisions">
              ${stray.map(decisionItem)}
            </ol>
          </article>`
    }
    ${
      data.unreadable.length === 0
        ? null
        : html`<article class="card">
            <h3>Signals that could not be read</h3>
            <ol class="decisions">
              ${data.unreadable.map(
                ({ at, text, refusal }) =>
                  html`<li class="refused">
                    <code>${text}</code><span class="refusal">${refusal}</span><span class="who">${instant(at)}</span>
                  </li>`,
              )}
            </ol>
          </article>`
    }`,
  );
}

function gateCard({ evidence, earlier, decisions, outcome }: GateReport): Html {
  const overridden = decisions.some(({ accepted, override }) => accepted && override);
  const { recommendation } = evidence;
  return html`<article class="${overridden ? 'card overridden' : 'card'}">
    <h3>
      Gate ${attemptLabel(evidence.gate, evidence.attempt, evidence.round)} ${verdictBadge(evidence.verdict)}
      ${overridden ? html`<span class="badge override">overridden</span>` : null}
    </h3>
    ${
      evidence.budget === undefined
        ? null
        : html`<ul class="criteria">
            ${budgetLines(evidence.budget).map((line) => html`<li>${line}</li>`)}
          </ul>`
    }
    ${criteriaList(evidence, earlier)}
    ${
      (evidence.experiments ?? evidence.failedExperiments) === undefined
        ? null
        : html`<h4>Experiments</h4>
            <ul class="criteria">
              ${(evidence.experiments ?? []).map(experiment)}
              ${(evidence.failedExperiments ?? []).map(
                (failed) =>
                  html`<li class="failed-experiment">
                    ${verdictBadge('inconclusive')} <span>${failedText(failed)}</span>
                  </li>`,
              )}
            </ul>`
    }
    ${
      evidence.diagnosis.length === 0
        ? null
        : html`<h4>Diagnosis</h4>
            <ul class="findings">
              ${evidence.diagnosis.map(finding)}
            </ul>`
    }
    <h4>Decision</h4>
    <p class="recommended">
      Recommended:
      <strong>${recommendation.choice}</strong
      >${recommendation.remedies ? html` (${remedyWords(recommendation.remedies)})` : null}. ${recommendation.reason}
    </p>
    ${
      decisions.length === 0
        ? html`<p class="open">${outcome === 'pending' ? 'Not decided yet.' : 'No decision is on record.'}</p>`
        : html`<ol class="decisions">
            ${decisions.map(decisionItem)}
          </ol>`
    }
    <p class="note">Evidence <code>${shortDigest(evidence.digest)}</code> · options: ${evidence.options.join(', ')}</p>
  </article>`;
}

const experiment = ({ verdict, text }: Experiment): Html =>
  html`<li>${verdict === null ? null : verdictBadge(verdict)} <span>${text}</span></li>`;

const finding = (one: Finding): Html =>
  html`<li class="${outcomeOf(one).replace(' ', '-')}">
    <span class="cause">${outcomeOf(one)}: ${one.cause.replaceAll('-', ' ')}</span> ${reasonOf(one)}
  </li>`;

const byWhom = ({ by, source }: Decision) =>
  source === 'policy' || source === 'deadline' ? sources[source] : `${by ?? 'unnamed'}, ${sources[source]}`;

function decisionItem(decision: Decision): Html {
  const tone = decision.accepted ? (decision.override ? 'override' : 'taken') : 'refused';
  return html`<li class="${tone}">
    <strong>${decision.accepted ? decision.choice : `${decision.choice} refused`}</strong>
    ${decision.capUsd === undefined ? null : `to ${usd(decision.capUsd)}`}
    ${decision.accepted && decision.override ? html`<span class="badge override">override</span>` : null}
    ${decision.remedies ? html`with ${remedyWords(decision.remedies)}` : null}
    <span class="who">Gate ${decision.gate}, ${byWhom(decision)}, ${instant(decision.at)}</span>
    ${decision.note ? html`<q>${decision.note}</q>` : null}
    ${decision.refusal ? html`<span class="refusal">${decision.refusal}</span>` : null}
  </li>`;
}
