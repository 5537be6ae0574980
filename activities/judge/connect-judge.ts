import type { Judge } from '../../config/judge.ts';
import type { Surroundings } from '../../config/environment.ts';
import type { Environment } from '../../config/overrides.ts';
import { failure } from '../failure.ts';
import { connect } from '../teacher/connect.ts';
import type { TeacherConnection } from '../teacher/connect.ts';

/** The environment variable that the judge's key comes from. */
export const judgeKeyName = ({ apiKeyEnv }: Pick<Judge, 'apiKeyEnv'>): string => apiKeyEnv ?? 'OPENAI_API_KEY';

/**
 * A client of the judge's server: the recipe's, else the environment's, else OpenAI. A key goes only where it was meant
 * to go: a server that the recipe names gets the one of `apiKeyEnv` or none, never the teacher's by default.
 *
 * @throws CredentialsRefused when a key that is named is not set, or OpenAI is to be asked without one
 */
export function connectJudge(
  openai: Surroundings['openai'],
  environment: Environment,
  judge: Judge,
): TeacherConnection {
  const { baseUrl, apiKeyEnv, timeoutSeconds } = judge;
  const keyName = judgeKeyName(judge);
  const baseURL = baseUrl ?? openai.baseUrl;
  const inherited = baseUrl === undefined ? openai.apiKey : undefined;
  const apiKey = apiKeyEnv === undefined ? inherited : environment[apiKeyEnv] || undefined;
  if (apiKey === undefined && (apiKeyEnv !== undefined || baseURL === undefined)) {
    throw failure(
      'CredentialsRefused',
      `${keyName}: not set, and the judge needs it; set it, or remove judge from the recipe`,
    );
  }
  return connect({ section: 'judge', baseURL, apiKey, keyName, timeoutSeconds });
}
