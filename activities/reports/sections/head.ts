import { percent, percentRange, points, share } from '../../../domain/figures.ts';
import { attemptLabel } from '../charts/accuracy-chart.ts';
import { html } from '../html.ts';
import type { Html } from '../html.ts';
import { count, duration, instant, usd } from '../quantities.ts';
import type { AccuracyRow, ReportData } from '../report-data.ts';

const stageWords: Partial<Record<ReportData['stage'], [words: string, tone: string]>> = {
  done: ['finished', 'pass'],
  stopped: ['stopped at a gate', 'unsure'],
  cancelled: ['cancelled', 'unsure'],
  failed: ['failed', 'fail'],
};

/** What the run came to, on one screen: outcome, warnings that change how the rest is read, four numbers. */
export function head(data: ReportData): Html {
  // The report is written by a step of its own, just before a run counts as finished.
  const writing = data.stage === 'report' && data.waiting === null;
  const [words, tone] = stageWords[data.stage] ?? (writing ? ['complete', 'pass'] : ['under way', 'running']);
  return html`<header class="top">
    <p class="kicker">ratchet · ${data.recipeName}</p>
    <h1>${data.run}</h1>
    ${data.description === '' ? null : html`<p class="description">${data.description}</p>`}
    <p class="outcome">
      <span class="badge ${tone}">${data.waiting === null ? words : `waiting at Gate ${data.waiting}`}</span>
      ${outcome(data)}
    </p>
    ${data.conclusion === null || data.stage === 'done' ? null : html`<p class="conclusion">${data.conclusion}</p>`}
    ${warnings(data)} ${figures(data)}
    <p class="facts">
      ${data.base === '' ? null : html`Base <code>${data.base}</code> · `}${data.dataSource === '' ? null : html`data <code>${data.dataSource}</code> · `}
      started ${instant(data.startedAt)}${data.finishedAt === null ? null : html` · ended ${instant(data.finishedAt)}`}
      · report of ${instant(data.writtenAt)}
      ${data.from === null ? null : html` · from <code>${data.from.run}</code> at ${data.from.at}`}
    </p>
  </header>`;
}

function outcome(data: ReportData): string {
  const { promoted } = data;
  if (promoted === null) return 'No phase was promoted: the model is the bare base.';
  const round = data.phases.find(
    ({ phase, attempt }) => phase === promoted.phase && attempt === promoted.attempt,
  )?.round;
  const attempt = promoted.attempt === 1 ? '' : `, attempt ${promoted.attempt}`;
  const which = round === undefined ? attempt : `, round ${round.number}`;
  return `The model stands at Phase ${promoted.phase}${which}, ${promoted.override ? 'with an override on the way: not every gate passed.' : 'promoted by its gate.'}`;
}

function warnings(data: ReportData): Html {
  const overrides = data.gates.flatMap((gate) =>
    gate.decisions.filter(({ accepted, override }) => accepted && override),
  );
  return html`${
    data.teacher?.simulated
      ? html`<p class="warning simulated">
          <strong>The teacher was simulated.</strong> “${data.teacher.name}” answers from the data's own facts with a
          set error rate. Nothing here says how a real teacher model would have done.
        </p>`
      : null
  }
  ${overrides.map(
    (decision) =>
      html`<p class="warning override">
        <strong>Gate ${decision.gate} was overridden.</strong> It had not passed; ${decision.by ?? 'somebody unnamed'}
        approved it${decision.note ? html`: “${decision.note}”` : '.'}
      </p>`,
  )}`;
}

const standing = (data: ReportData): AccuracyRow | undefined =>
  data.accuracies.find(
    ({ headline, phase, attempt }) =>
      headline && phase === (data.promoted?.phase ?? null) && attempt === (data.promoted?.attempt ?? 0),
  );

function figures(data: ReportData): Html {
  const now = standing(data);
  const phaseA = data.accuracies.find(({ headline, phase }) => headline && phase === 'A');
  const first = phaseA === now ? data.accuracies.find(({ phase }) => phase === null) : phaseA;
  const { costs } = data;
  const figure = (value: string, label: string, detail: string) =>
    html`<div>
      <dt>${label}</dt>
      <dd class="value">${value}</dd>
      <dd class="detail">${detail}</dd>
    </div>`;
  return html`<dl class="figures">
    ${
      now
        ? figure(
            percent(now.accuracy.estimate),
            'accuracy of the model as it stands',
            `${now.accuracy.successes}/${now.accuracy.n}, 95 % ${percentRange(now.accuracy.low, now.accuracy.high)}`,
          )
        : figure('–', 'accuracy of the model as it stands', 'not evaluated')
    }
    ${
      now && first && now !== first
        ? figure(
            points(now.accuracy.estimate - first.accuracy.estimate).replace(' points', ''),
            `points against ${first.phase === null ? 'the bare base' : `Phase ${attemptLabel(first.phase, first.attempt, first.round)}`}`,
            `from ${share(first.accuracy.successes, first.accuracy.n)}`,
          )
        : null
    }
    ${figure(duration(costs.gpuSeconds), 'on the training device', `${duration(costs.elapsedSeconds)} from start to end`)}
    ${figure(usd(costs.teacherUsd + costs.judgeUsd + costs.gpuUsd), 'spent', `${count(costs.teacherCalls)} teacher calls ${usd(costs.teacherUsd)}${costs.judgeCalls === 0 ? '' : `, judge ${usd(costs.judgeUsd)}`}, GPU ${usd(costs.gpuUsd)}`)}
  </dl>`;
}
