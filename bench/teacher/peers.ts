import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What people take instead, each from PyPI into an environment of its own. */
const peers = {
  curator: ['bespokelabs-curator==0.1.31'],
  // Its OpenAI model asks for the two others without saying so.
  distilabel: ['distilabel[openai]==1.5.3', 'requests', 'beautifulsoup4'],
};
type PeerName = keyof typeof peers;
export const peerNames = Object.keys(peers) as PeerName[];

/** A peer that hangs is given up. */
const longestRunMs = 180_000;

/** `seconds`: its own work, without the start of Python and its imports. */
export type PeerRun = { seconds: number; rows: number };

/** Runs a peer over prompts in a process of its own. @throws Error that says why it could not be installed or run */
export async function runPeer(
  name: PeerName,
  folder: string,
  { baseUrl, prompts, concurrency }: { baseUrl: string; prompts: readonly string[]; concurrency: number },
): Promise<PeerRun> {
  const python = install(peers[name]);
  const state = join(folder, name);
  mkdirSync(state, { recursive: true });
  const [promptsFile, out] = [join(state, 'prompts.jsonl'), join(state, 'out.json')];
  const lines = prompts.map((prompt, index) => JSON.stringify({ id: String(index), prompt }));
  writeFileSync(promptsFile, `${lines.join('\n')}\n`);
  const env = {
    ...process.env,
    ...{ PROMPTS: promptsFile, OUT: out, STATE: state, HOME: state, CONCURRENCY: String(concurrency) },
    ...{ OPENAI_BASE_URL: baseUrl, OPENAI_API_KEY: 'any', HF_HUB_OFFLINE: '1', DO_NOT_TRACK: '1' },
  };
  await execute(python, join(import.meta.dirname, 'peers', `ask_${name}.py`), state, env);
  return JSON.parse(readFileSync(out, 'utf8')) as PeerRun;
}

/** @returns its Python */
function install(requirements: readonly string[]): string {
  const script = join(import.meta.dirname, 'install-peer.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...requirements], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`it cannot be installed: ${stderr.trim()}`);
  return stdout.trim();
}

function execute(python: string, script: string, cwd: string, env: NodeJS.ProcessEnv): Promise<void> {
  return new Promise((resolve, reject) => {
    // A group of its own: some start processes that outlive them.
    const child = spawn(python, [script], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4000)));
    }
    const endGroup = (): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // Nobody is left.
      }
    };
    const timer = setTimeout(endGroup, longestRunMs);
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      endGroup();
      if (code === 0) resolve();
      else reject(new Error(`it ended with ${code ?? signal ?? ''}: ${said.trim().split('\n').slice(-2).join(' ')}`));
    });
  });
}
