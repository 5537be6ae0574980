import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * When a process was started, in the kernel's own words (with the boot it belongs to); undefined if it is not running.
 * A zombie counts as not running.
 */
export function startTimeOf(pid: number): string | undefined {
  if (process.platform !== 'linux') {
    const result = spawnSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' });
    const text = result.stdout.trim();
    return text === '' || text.startsWith('Z') ? undefined : text.replace(/^\S+\s+/, '');
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Fields 3 (state) and 22 (start time in ticks), counted after the command's name, which may hold spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${fields[19] ?? ''}`;
  } catch {
    return undefined;
  }
}

/** Sends a signal; false if there is nobody to take it. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}

/**
 * Asks a process to end (SIGTERM) and makes it (SIGKILL) when the grace is over.
 *
 * @returns whether it had to be killed
 */
export async function endProcess(pid: number, startTime: string, graceMs: number): Promise<boolean> {
  const isThere = () => startTimeOf(pid) === startTime;
  if (!isThere()) return false;
  sendSignal(pid, 'SIGTERM');
  if (await endsWithin(graceMs, isThere)) return false;
  sendSignal(pid, 'SIGKILL');
  await endsWithin(5_000, isThere);
  return true;
}

async function endsWithin(limitMs: number, isThere: () => boolean): Promise<boolean> {
  const deadline = performance.now() + limitMs;
  while (isThere()) {
    if (performance.now() >= deadline) return false;
    await sleep(25);
  }
  return true;
}

/**
 * Kills what a service has left behind (a trainer whose worker is gone): every process that carries the marks that the
 * stack gave the service, so nothing foreign. The service itself must have ended. Linux only; elsewhere its process group.
 */
export function killLeftOvers(home: string, service: string, pid: number): number {
  if (process.platform !== 'linux') return sendSignal(-pid, 'SIGKILL') ? 1 : 0;
  let killed = 0;
  for (const entry of readdirSync('/proc')) {
    const candidate = Number(entry);
    if (!Number.isInteger(candidate) || candidate === process.pid) continue;
    try {
      const marks = readFileSync(`/proc/${entry}/environ`, 'utf8').split('\0');
      if (!marks.includes(`RATCHET_HOME=${home}`) || !marks.includes(`RATCHET_SERVICE=${service}`)) continue;
      if (sendSignal(candidate, 'SIGKILL')) killed += 1;
    } catch {
      // Ended meanwhile, or another user's.
    }
  }
  return killed;
}
