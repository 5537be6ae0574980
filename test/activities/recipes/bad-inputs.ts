import { join } from 'node:path';
import type { OrchestratorDeps } from '../../../activities/orchestrator-activities.ts';
import { createStore } from '../../../activities/store/store.ts';
import type { TestS3 } from '../../setup/s3.ts';

/** One line of docs/bad-input.md. `npx vitest -u` writes the page anew after a message has changed. */
export type BadInput = {
  what: string;
  start: Record<string, unknown>;
  environment?: Record<string, string>;
  run?: string;
  world?: (deps: OrchestratorDeps) => OrchestratorDeps;
};

/** Servers and files that the inputs name: `teacher` takes the key `sk-valid`, `other` takes `sk-other`. */
type Places = { folder: string; s3: TestS3; teacher: { baseUrl: string }; other: { baseUrl: string } };

export function badInputs({ folder, s3, teacher, other }: Places): BadInput[] {
  const source = (name: string) => ({ 'data.source': join(folder, name) });
  const good = { recipe: 'demo' };
  return [
    { what: 'a recipe that does not exist', start: { recipe: 'strategyqa-ph35' } },
    { what: 'a typo in a recipe', start: { recipe: join(folder, 'mine.yaml') } },
    { what: 'a value of the wrong type', start: { recipe: join(folder, 'typed.yaml') } },
    { what: 'an unknown `--set` field', start: { ...good, overrides: { learningRate: 1e-5 } } },
    { what: 'an environment variable that cannot be read', start: good, environment: { TRAIN_SAMPLES: 'many' } },
    { what: 'a typo in the input of the workflow', start: { recipes: 'demo' } },
    {
      what: 'a template without its field',
      start: { ...good, overrides: { 'templates.reasoning': 'Question: {question}\nReasoning:' } },
    },
    {
      what: 'a wording for the teacher that is never used',
      start: {
        ...good,
        overrides: { 'templates.teacherVariants': [{ name: 'usual' }, { name: 'terse', system: 'Be brief.' }] },
      },
    },
    { what: 'a model without a price', start: { ...good, overrides: { 'teacher.model': 'my-own-model' } } },
    {
      what: 'a cap below the estimate',
      start: { ...good, overrides: { 'teacher.model': 'gpt-4.1', 'budget.capUsd': 0.1 } },
    },
    {
      what: 'a loss that means nothing at its batch size',
      start: { ...good, overrides: { 'phaseC.stages.0.loss': 'dr-dpo-published', 'phaseC.batchSize': 1 } },
    },
    {
      what: 'more processes than rows of a step',
      start: { ...good, overrides: { 'distributed.processes': 8, 'phaseC.batchSize': 4 } },
    },
    {
      what: 'a model split over one process',
      start: { ...good, overrides: { 'distributed.strategy': 'fsdp' } },
    },
    { what: 'a data set that is not there', start: { ...good, overrides: source('nowhere.jsonl') } },
    { what: 'an empty data set', start: { ...good, overrides: source('empty.jsonl') } },
    { what: 'a data set with one label', start: { ...good, overrides: source('yes-only.jsonl') } },
    { what: 'a bad row', start: { ...good, overrides: source('broken.jsonl') } },
    { what: 'more samples than questions', start: { ...good, overrides: source('few.jsonl') } },
    { what: 'a base model that is not there', start: { ...good, overrides: { 'model.base': '/data/models/nothing' } } },
    {
      what: 'a base model that is not whole',
      start: { ...good, overrides: { 'model.base': join(folder, 'half-a-base') } },
    },
    { what: 'an older run with adapters for another base', start: { ...good, from: { run: 'older', at: 'phaseB' } } },
    { what: 'an older run that there is not', start: { ...good, from: { run: 'oldest', at: 'phaseB' } } },
    {
      what: 'a missing bucket',
      start: good,
      world: (world) => ({
        ...world,
        store: createStore({ client: world.s3, bucket: 'no-such-bucket', cacheDir: s3.newFolder() }),
      }),
    },
    {
      what: 'a wrong teacher key',
      start: good,
      world: (world) => ({
        ...world,
        surroundings: { ...world.surroundings, openai: { baseUrl: teacher.baseUrl, apiKey: 'sk-wrong' } },
      }),
    },
    {
      what: 'no teacher key, and no server of one’s own',
      start: good,
      world: (world) => ({
        ...world,
        surroundings: { ...world.surroundings, openai: { baseUrl: undefined, apiKey: undefined } },
      }),
    },
    {
      what: 'a judge elsewhere whose key is not set',
      start: { ...good, overrides: { 'judge.baseUrl': teacher.baseUrl } },
      world: (world) => ({
        ...world,
        surroundings: { ...world.surroundings, openai: { baseUrl: other.baseUrl, apiKey: 'sk-other' } },
      }),
    },
    {
      what: 'a teacher elsewhere whose key is not set',
      start: { ...good, overrides: { 'teacher.baseUrl': other.baseUrl } },
    },
    {
      what: 'OpenAI itself, where another server has the key',
      start: { ...good, overrides: { 'teacher.baseUrl': 'https://api.openai.com/v1' } },
    },
    {
      what: 'a server whose URL holds a password',
      start: { ...good, overrides: { 'teacher.baseUrl': 'https://me:hunter2@api.openai.com/v1' } },
    },
    {
      what: 'a field of requests that ratchet sets itself',
      start: { ...good, overrides: { 'teacher.extraBody': { model: 'another' } } },
    },
    {
      what: 'a key among the headers of a recipe',
      start: { ...good, overrides: { 'teacher.headers': { Authorization: 'Bearer hunter2' } } },
    },
    {
      what: 'headers for the requests of a batch',
      start: { ...good, overrides: { 'teacher.headers': { 'x-title': 'ratchet' }, 'teacher.mode': 'batch' } },
    },
    { what: 'a name that cannot be one of a run', start: good, run: 'x/../y' },
    {
      what: 'an older run by such a name',
      start: { ...good, from: { run: '../older', at: 'phaseB' } },
    },
    {
      what: 'a criterion on question quality without a judge',
      start: {
        recipe: 'strategyqa-phi35',
        overrides: { 'gates.C.criteria': [{ metric: 'question-quality', atLeast: 0.1 }] },
      },
    },
    {
      what: 'a webhook without the secret that signs its notices',
      start: { ...good, overrides: { 'gates.webhook': { url: 'https://example.org/gates' } } },
    },
    { what: '`DRY_RUN` with a typo', start: good, environment: { DRY_RUN: 'Treu' } },
  ];
}
