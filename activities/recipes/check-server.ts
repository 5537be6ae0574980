import { isSimulated, teacherPrice } from '../../config/check-recipe.ts';
import { bindingFor } from '../../config/keys.ts';
import type { Problem } from '../../config/problem.ts';
import type { Recipe } from '../../config/recipe.ts';
import type { Cost } from '../../domain/budget.ts';
import { priceOf } from '../../domain/prices.ts';
import { failure } from '../failure.ts';
import { connectJudge } from '../judge/connect-judge.ts';
import { connectTeacher, describeServer, hasBatches, namesModel } from '../teacher/connect.ts';
import type { TeacherConnection, TeacherServer } from '../teacher/connect.ts';
import { faultOf } from '../teacher/teacher-failure.ts';
import type { CallFault } from '../teacher/teacher-failure.ts';
import { mostTriedUsd, triedTokens, tryModel } from '../teacher/try-model.ts';
import type { CheckDeps } from './check-world.ts';
import { asProblem, problem } from './problems.ts';

/** What a look at a server came to. */
export type Checked = {
  problems: Problem[];
  simulated: boolean;
  /** Of a call that had to be made; nothing where lists said enough. */
  cost: Cost;
};

type Deps = Pick<CheckDeps, 'surroundings'>;

/** May a call be paid for? Not where nothing is to be spent; then a server whose lists say nothing is believed. */
type Means = { spend: boolean };
const usual: Means = { spend: true };

/** The teacher's server takes the key and has the model. Free of charge where its lists say so; else one cheapest call decides. */
export async function checkTeacher({ surroundings }: Deps, recipe: Recipe, means = usual): Promise<Checked> {
  const { teacher } = recipe;
  let connection;
  try {
    connection = connectTeacher(surroundings.openai, teacher);
  } catch (error) {
    return refused(asProblem(fieldOf(error, 'OPENAI_API_KEY'), error));
  }
  const checked = await checkServer(connection, teacher, recipe, means);
  if (checked.problems.length > 0) return { ...checked, simulated: false };
  return { ...checked, problems: await checkBatches(connection, teacher, checked.simulated) };
}

/** The same of the judge, where the recipe has one. */
export async function checkJudge({ surroundings }: Deps, recipe: Recipe, means = usual): Promise<Checked> {
  const { judge } = recipe;
  if (judge === undefined) return { problems: [], simulated: false, cost: {} };
  try {
    return await checkServer(connectJudge(surroundings.openai, judge), judge, recipe, means);
  } catch (error) {
    return refused(asProblem(fieldOf(error, 'OPENAI_API_KEY'), error));
  }
}

const refused = (...problems: Problem[]): Checked => ({ problems, simulated: false, cost: {} });

/** The field that a message of ours begins with. */
const fieldOf = (error: unknown, otherwise: string): string =>
  (error instanceof Error ? /^((?:teacher|judge)\.\w+): /.exec(error.message)?.[1] : undefined) ?? otherwise;

async function checkServer(
  connection: TeacherConnection,
  settings: Recipe['teacher'] | NonNullable<Recipe['judge']>,
  { budget }: Recipe,
  { spend }: Means,
): Promise<Checked> {
  const { section } = connection;
  const server = await orAway(connection, () => describeServer(connection));
  const { simulated } = server;
  const found = { problems: [], simulated, cost: {} };
  if (simulated || !settings.checkModel) return found;
  const listed = await orAway(connection, () => namesModel(connection, server, settings.model));
  if (listed && !mustTry(connection, settings)) return found;
  const price = priceOf(settings.model, teacherPrice(settings));
  if (!spend || price === null || mostTriedUsd(settings, price) > budget.capUsd) return found;
  const { fault, costUsd } = await tryModel(connection, settings, price);
  const cost = section === 'teacher' ? { teacherUsd: costUsd, teacherCalls: 1 } : { judgeUsd: costUsd, judgeCalls: 1 };
  if (fault === null) return { ...found, cost };
  return { problems: [faultProblem(fault, connection, settings.model, server)], simulated: false, cost: {} };
}

/** A batch cannot learn from a refusal how its server wants the token limit to be named. */
const mustTry = ({ official }: TeacherConnection, settings: { mode?: string; tokenLimitField?: unknown }): boolean =>
  settings.mode === 'batch' && !official && settings.tokenLimitField === undefined;

/** @throws TeacherUnavailable where the server may answer another time */
async function orAway<Result>(connection: TeacherConnection, look: () => Promise<Result>): Promise<Result> {
  try {
    return await look();
  } catch (error) {
    throw away(connection, faultOf(error, connection));
  }
}

const away = ({ host }: TeacherConnection, { message }: CallFault): Error =>
  failure('TeacherUnavailable', `${host} did not answer: ${message}`);

const unknownModel =
  /model.*(?:not found|not exist|no such|not (?:a )?valid|unknown)|(?:invalid|unknown|no such) model/is;

/** @throws TeacherUnavailable where the server may answer another time */
function faultProblem(
  fault: CallFault,
  connection: TeacherConnection,
  model: string,
  { models }: TeacherServer,
): Problem {
  const { host, section } = connection;
  const { message } = fault;
  if (fault.kind === 'transient') throw away(connection, fault);
  const reason = fault.kind === 'row' && unknownModel.test(message) ? 'unknown-model' : fault.reason;
  if (reason === 'bad-key') return refusedKey(message, connection);
  if (reason === 'unknown-model') {
    const what = `${host} has no model ${model}: ${message}`;
    return problem('InvalidRecipe', `${section}.model`, what, otherModel(section, model, models ?? []));
  }
  if (reason === 'no-quota') {
    const fix = 'check the quota and billing of the account';
    return problem('TeacherRejected', `${section}.model`, `${host} refused (no-quota): ${message}`, fix);
  }
  const field = /temperature/i.test(message) ? `${section}.temperature` : `${section}.baseUrl`;
  const fix = field.endsWith('temperature')
    ? `write ${field}: null, so that it is not sent`
    : `correct the settings under ${section}, or write ${section}.checkModel: false`;
  const what = `${host} refused a call of at most ${triedTokens} tokens: ${message}`;
  return problem('InvalidRecipe', field, what, fix);
}

function otherModel(section: 'teacher' | 'judge', model: string, models: readonly string[]): string {
  if (section === 'teacher' && isSimulated(model))
    return 'unset OPENAI_API_KEY and OPENAI_BASE_URL so that `ratchet up` starts the simulated teacher, or set GPT4_MODEL';
  const by = section === 'teacher' ? 'by teacher.model or GPT4_MODEL' : 'by judge.model, or remove judge';
  if (models.length === 0) return `check ${section}.model and ${section}.baseUrl`;
  return `use one of its models (${models.slice(0, 8).join(', ')}) ${by}`;
}

function refusedKey(message: string, { host, section, server, keyVariable }: TeacherConnection): Problem {
  if (keyVariable === null) {
    const what = `${host} wants a key, and none is bound to it: ${message}`;
    const otherwise = section === 'judge' ? ', or remove judge' : '';
    const fix = `set ${bindingFor(server)} for the workers${otherwise}`;
    return problem('CredentialsRefused', `${section}.baseUrl`, what, fix);
  }
  const otherwise = section === 'teacher' ? ', or unset it to use the simulated teacher' : '';
  const fix = `set a key that is valid there${otherwise}`;
  return problem('CredentialsRefused', keyVariable, `${host} refused the key: ${message}`, fix);
}

/** In batch mode the server has a Batch API, and it is known how it wants its requests. */
async function checkBatches(
  connection: TeacherConnection,
  { mode }: Recipe['teacher'],
  simulated: boolean,
): Promise<Problem[]> {
  if (mode !== 'batch') return [];
  const { host } = connection;
  let has: boolean;
  try {
    has = await hasBatches(connection);
  } catch (error) {
    return [batchFault(faultOf(error, connection), connection)];
  }
  if (!has) {
    const fix = 'write teacher.mode: live, or ask a server that has one';
    return [problem('InvalidRecipe', 'teacher.mode', `${host} has no Batch API`, fix)];
  }
  const limit = connection.tokenLimit();
  if (simulated || connection.official || limit === 'max_tokens' || connection.tokenLimitIsSet) return [];
  const what = `${host} refuses max_tokens, and batches cannot learn that`;
  return [problem('InvalidRecipe', 'teacher.tokenLimitField', what, `write teacher.tokenLimitField: ${limit}`)];
}

/** @throws TeacherUnavailable where the server may answer another time */
function batchFault(fault: CallFault, connection: TeacherConnection): Problem {
  if (fault.kind === 'transient') throw away(connection, fault);
  if (fault.kind === 'rejected' && fault.reason === 'bad-key') return refusedKey(fault.message, connection);
  const what = `${connection.host} does not show its batches: ${fault.message}`;
  return problem('InvalidRecipe', 'teacher.mode', what, 'write teacher.mode: live, or ask a server that has them');
}
