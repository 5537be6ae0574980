import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../config/environment.ts';

/** `ratchet 0.1.0, commit 4dbc9d5, Node 24.21.0`; the commit only in a checkout, with `-dirty` where files differ from it. */
export function versionText(): string {
  const { version } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as { version: string };
  const commit = existsSync(join(projectRoot, '.git')) ? describeCommit() : '';
  return `ratchet ${version}${commit === '' ? '' : `, commit ${commit}`}, Node ${process.versions.node}`;
}

/** Empty where git is not installed or refuses the folder. */
function describeCommit(): string {
  const args = ['-C', projectRoot, 'describe', '--always', '--dirty', '--exclude=*'];
  const { status, stdout } = spawnSync('git', args, { encoding: 'utf8', timeout: 5_000 });
  return status === 0 ? stdout.trim() : '';
}
