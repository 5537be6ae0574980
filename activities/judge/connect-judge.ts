import type { Judge } from '../../config/judge.ts';
import type { ModelServers } from '../../config/keys.ts';
import { connectTo } from '../teacher/connect.ts';
import type { TeacherConnection } from '../teacher/connect.ts';

/**
 * A client of the judge's server: the recipe's, else the environment's, else OpenAI. As the teacher's, it gets the key that
 * the environment binds to that server.
 *
 * @throws as {@link connectTo}
 */
export const connectJudge = (openai: ModelServers, judge: Judge): TeacherConnection =>
  connectTo(openai, 'judge', judge);
