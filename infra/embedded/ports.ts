import { createServer } from 'node:net';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { StackProblem } from './problem.ts';
import type { Port } from './settings.ts';

/**
 * Makes sure that the stack can listen on these ports.
 *
 * @throws StackProblem names the port, its variable and, where the kernel tells, who holds it
 */
export async function assertPortsFree(ports: readonly Port[]): Promise<void> {
  for (const { port, variable, what } of ports) {
    const twin = ports.find((other) => other.variable !== variable && other.port === port);
    if (twin) {
      throw new StackProblem(`${variable} and ${twin.variable} are both ${port}.`, 'Give each a port of its own.');
    }
    const failure = await tryToListen(port);
    if (failure === undefined) continue;
    const reason = failure === 'EADDRINUSE' ? `is taken${describeHolder(port)}` : `cannot be used (${failure})`;
    throw new StackProblem(
      `Port ${port} for the ${what} (${variable}) ${reason}.`,
      `Stop what holds it, or choose another port: ${variable}=${port + 10_000 > 65_535 ? port - 10_000 : port + 10_000}`,
    );
  }
}

/** @returns undefined if one can listen there now, else the system's error code */
export function tryToListen(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code ?? error.message);
    });
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.close(() => {
        resolve(undefined);
      });
    });
  });
}

function describeHolder(port: number): string {
  const pid = holderOf(port);
  if (pid === undefined) return '';
  const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim().slice(0, 80);
  return ` by process ${pid} (${command})`;
}

/** Pid of the process that listens on a TCP port; Linux only, and only for processes that one may look into. */
function holderOf(port: number): string | undefined {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  try {
    const inodes = ['/proc/net/tcp', '/proc/net/tcp6']
      .flatMap((table) => readFileSync(table, 'utf8').split('\n').slice(1))
      .map((line) => line.trim().split(/\s+/))
      .filter((columns) => columns[1]?.endsWith(suffix) === true && columns[3] === '0A')
      .map((columns) => `socket:[${columns[9] ?? ''}]`);
    return readdirSync('/proc').find((pid) => /^\d+$/.test(pid) && holdsSocket(pid, inodes));
  } catch {
    return undefined;
  }
}

function holdsSocket(pid: string, inodes: readonly string[]): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return inodes.includes(readlinkSync(`/proc/${pid}/fd/${fd}`));
      } catch {
        return false;
      }
    });
  } catch {
    return false;
  }
}
