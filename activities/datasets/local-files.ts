import { existsSync, realpathSync, statSync } from 'node:fs';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import { projectRoot } from '../../config/environment.ts';
import { failure } from '../failure.ts';

/** Which files of this host a source may name. */
export type Reach = {
  /** `RATCHET_DATA`: the folder in which relative paths are looked up first. */
  dataFolder: string | undefined;
  /** Only files below `RATCHET_DATA` and the checkout's own `data` and `config`: what others send to a worker. */
  confined: boolean;
};

/** What the kernel shows as files: never data, and some of it never ends. */
const kernelFolders = ['/proc', '/sys', '/dev'];

const isBelow = (path: string, folder: string): boolean => {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
};

/** The same with links followed; a folder that is not there holds nothing. */
const real = (path: string): string | undefined => (existsSync(path) ? realpathSync(path) : undefined);

/**
 * Finds the file that a source names. Links are followed before anything is allowed.
 *
 * @throws InvalidData: not there, out of reach, or no regular file. The message never says whether a file is there that is
 *   out of reach
 */
export function findLocalFile(source: string, { dataFolder, confined }: Reach): string {
  const folders = [...(dataFolder ? [resolve(dataFolder)] : []), projectRoot];
  const tried = isAbsolute(source) ? [resolve(source)] : folders.map((folder) => resolve(folder, source));
  const roots = [...(dataFolder ? [dataFolder] : []), join(projectRoot, 'data'), join(projectRoot, 'config')];
  const allowed = roots.flatMap((root) => real(root) ?? []);
  const inReach = (path: string): boolean => {
    const target = real(path);
    return target !== undefined && (!confined || allowed.some((root) => isBelow(target, root)));
  };
  const found = tried.find(inReach);
  if (found === undefined) throw notFound(source, tried, confined, roots);
  const target = realpathSync(found);
  if (kernelFolders.some((folder) => isBelow(target, folder)))
    throw failure('InvalidData', `${source} is a file of the kernel, no data; give the path of a StrategyQA file`);
  const stat = statSync(target);
  if (stat.isFile()) return found;
  const kind = stat.isDirectory() ? 'a folder' : 'no regular file (a device, pipe or socket)';
  throw failure('InvalidData', `${source} is ${kind}; give the path of a file, JSON or JSON Lines`);
}

function notFound(source: string, tried: readonly string[], confined: boolean, roots: readonly string[]): Error {
  const outside = confined && tried.every((path) => roots.every((root) => !isBelow(path, resolve(root))));
  if (outside)
    return failure(
      'InvalidData',
      `${source} is out of this worker's reach, which is RATCHET_DATA and the checkout's data and config; put the file there, name s3://… or hf://…, or set RATCHET_ALLOW_ANY_PATH=1 for a worker that serves nobody else`,
    );
  return failure(
    'InvalidData',
    `there is no file ${tried.join(', nor ')}; give the path of a StrategyQA file (DATASET_NAME), s3://… or hf://…, or set RATCHET_DATA`,
  );
}
