import type { Decision } from '../../../domain/gate-types.ts';
import type { ProgrammeState } from '../../../domain/programme.ts';
import type { ArtefactRef } from '../../../domain/records.ts';
import type { ArtefactRows } from '../../../activities/reports/artefact-rows.ts';
import { at, fixtureModel, hour, ids, n, step, truth } from './reference-model.ts';
import { fixturePhases, recipe } from './reference-phases.ts';

/** A programme with the numbers of the reference run (A 408/687, B 354/687), then the fix and Phase C as the plan hoped. */
export type FixtureRun = { state: ProgrammeState; rows: ArtefactRows; files: Map<string, unknown[]> };

export function referenceRun(options: { teacher?: string } = {}): FixtureRun {
  const files = new Map<string, unknown[]>();
  const put = (name: string, rows: unknown[]): ArtefactRef => {
    const uri = `s3://ratchet/runs/reference/${name}`;
    files.set(uri, rows);
    const digest = Array.from(uri)
      .reduce((hash, letter) => (hash * 31 + letter.charCodeAt(0)) >>> 0, 7)
      .toString(16)
      .padStart(8, '0');
    return { uri, sha256: digest.repeat(8), bytes: JSON.stringify(rows).length, rows: rows.length };
  };
  const model = fixtureModel(put);
  const decisions: Decision[] = [];
  const phases = fixturePhases(model, decisions, put);
  const last = phases.at(-1);
  const state: ProgrammeState = {
    run: 'strategyqa-phi35-20260302',
    recipeName: recipe.name,
    recipeDigest: 'c0ffee12'.repeat(8),
    recipe,
    stage: 'done',
    startedAt: at(0),
    finishedAt: at(11.4),
    waiting: null,
    data: {
      train: put(
        'data/train.jsonl',
        ids.slice(0, 200).map((id) => ({ id: `t${id}`, question: 'In training', answer: 'no' })),
      ),
      evaluation: put(
        'data/evaluation.jsonl',
        ids.map((id, index) => ({
          id,
          question: questions[index % questions.length],
          answer: truth(index),
          facts: [],
          decomposition: [],
        })),
      ),
      report: {
        steps: [
          step('sampled', { yes: 1071, no: 1234 }, { yes: 91, no: 109 }, [
            { reason: 'not sampled', counts: { yes: 980, no: 1125 } },
          ]),
        ],
      },
    },
    drafts: {
      train: put('drafts/train.jsonl', []),
      evaluation: put(
        'drafts/evaluation.jsonl',
        ids.map((id, index) => ({
          id,
          text: `Answer: ${index % 3 === 0 ? 'Yes' : 'No'} - I am not sure.\nQuestions: What did it cost? When did it end?`,
          tokens: 31,
          finish: 'stop',
          answer: 'no',
          questions: 'What did it cost?',
          strict: true,
        })),
      ),
      trainReport: { n: 200, truncated: 14, unparsable: 3, lenient: 9, correct: 118 },
      evaluationReport: { n, truncated: 41, unparsable: 8, lenient: 30, correct: 389 },
    },
    teacher: {
      responses: put('teacher/responses.jsonl', []),
      attempts: 1,
      name: options.teacher ?? 'gpt-4.1-nano',
      report: {
        n: 200,
        byClass: { valid: 137, disagreed: 63, unparsable: 0, truncated: 0, refused: 0, failed: 0 },
        lenient: 4,
      },
    },
    baseEvaluation: model.evaluate('base/direct', 371, 420, 5),
    phases,
    promoted: last ? { phase: 'C', attempt: 1, adapter: last.adapter, override: true } : null,
    decisions,
    unreadable: [
      {
        at: at(4.1),
        text: '{"gate":"B","chioce":"fix"}',
        refusal: 'chioce is not a field of a decision; did you mean choice?',
      },
    ],
    spent: { teacherUsd: 0.0214, teacherCalls: 200, gpuSeconds: 8.9 * hour },
    estimate: { teacherUsd: 0.0352, gpuHours: 7, totalUsd: 2.4852 },
    from: null,
    report: null,
    conclusion: 'The adapter of Phase C, attempt 1, is the new model.',
  };
  return { state, files, rows: (ref) => rowsOf(files, ref) };
}

async function* rowsOf<Row>(files: Map<string, unknown[]>, ref: ArtefactRef): AsyncGenerator<Row> {
  await Promise.resolve();
  const rows = files.get(ref.uri);
  if (!rows) throw new Error(`no such object: ${ref.uri}`);
  yield* rows as Row[];
}

const questions = [
  'Could a llama birth twice during the War in Vietnam (1945-46)?',
  'Would a pear sink in water?',
  'Did the Hopi Indians use a trigonal bipyramidal lattice?',
  'Can you buy Casio products at Petco?',
  'Is it common to see frost during some college commencements?',
];
