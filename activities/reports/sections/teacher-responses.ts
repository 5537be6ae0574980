import type { ResponseReport } from '../../../domain/agreement.ts';
import { total } from '../../../domain/data-report.ts';
import { percent, share, signedFigure } from '../../../domain/figures.ts';
import type { ResponseProblem } from '../../../domain/records.ts';
import { html } from '../html.ts';
import type { Html } from '../html.ts';
import { count, shortDigest } from '../quantities.ts';
import { balanceBar } from './balance-bar.ts';
import { table } from './section.ts';

/** What went wrong by kind, how far attempts agree, and what each wording of the prompt came to. */
export const responseTables = (responses: ResponseReport): Html =>
  html`${problemTable(responses)} ${agreementTable(responses)} ${templateTable(responses)}`;

const forGood = 'for good: asked again, it would fail again';
const passing = 'given up after being asked again';
const incomplete = 'it came, and is not asked again';

const problemWords: Record<ResponseProblem, [what: string, end: string]> = {
  'context-too-long': ['context too long', forGood],
  'content-filter': ['stopped by the content filter', forGood],
  'bad-request': ['request refused as malformed', forGood],
  refusal: ['the teacher refused', incomplete],
  length: ['cut off at its token limit', incomplete],
  malformed: ['malformed response', passing],
  empty: ['empty answer', passing],
  'reasoning-only': ['reasoning without an answer', passing],
  'tool-call': ['a tool call in place of an answer', passing],
  copied: ['copy of another answer, not counted as one', incomplete],
  'server-error': ['server error', passing],
  'rate-limit': ['rate limit', passing],
  connection: ['connection broken', passing],
  timeout: ['no answer in time', passing],
};

function problemTable({ n, byClass, problems = {} }: ResponseReport): Html {
  const rows = (Object.keys(problemWords) as ResponseProblem[]).flatMap((problem) => {
    const found = problems[problem] ?? 0;
    const [what, end] = problemWords[problem];
    return found === 0 ? [] : [[what, count(found), share(found, n), end]];
  });
  const { unparsable } = byClass;
  if (unparsable > 0) rows.push(['no answer can be read', count(unparsable), share(unparsable, n), incomplete]);
  if (rows.length === 0) return html``;
  const numbers = ['responses', 'share'].map((title) => ({ title, number: true }));
  return table([{ title: 'problem' }, ...numbers, { title: 'how it ended' }], rows, 'Problems of teacher responses');
}

function agreementTable({ agreement }: ResponseReport): Html {
  if (agreement === undefined) return html``;
  const { questions, compared, unanimous, majorityShare, kappa } = agreement;
  const titles = ['questions', 'two answers or more', 'all agree', 'share of the majority', 'Fleiss’ κ'];
  const row = [
    'Attempts at a question',
    ...[count(questions), count(compared), share(unanimous, compared)],
    ...[majorityShare === null ? '–' : percent(majorityShare), kappa === null ? '–' : signedFigure(kappa)],
  ];
  const columns = [{ title: 'agreement' }, ...titles.map((title) => ({ title, number: true }))];
  return table(columns, [row], 'Agreement across attempts');
}

function templateTable({ templates = [] }: ResponseReport): Html {
  if (templates.length === 0) return html``;
  const rows = templates.map(({ name, digest, n, readable, asked, right }) => [
    html`${name} <span class="of"><code>${shortDigest(digest)}</code></span>`,
    ...[count(n), share(readable, n), share(total(right), n)],
    ...[balanceBar(asked), balanceBar(right)],
  ]);
  const numbers = ['n', 'readable', 'right'].map((title) => ({ title, number: true }));
  const columns = [{ title: 'wording' }, ...numbers, { title: 'asked' }, { title: 'answered rightly' }];
  return table(columns, rows, 'Teacher responses by wording of the prompt');
}
