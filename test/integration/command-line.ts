import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { toolPath } from '../../infra/embedded/services.ts';
import { root } from '../../infra/embedded/settings.ts';

const exec = promisify(execFile);

/** Runs the real `temporal` binary against a test's stack. @returns its standard output */
export async function temporal(env: Record<string, string>, args: string[]): Promise<string> {
  const { stdout } = await exec(toolPath('temporal', env), [...args, '--address', env['TEMPORAL_ADDRESS'] ?? ''], {
    env: { ...env, NO_COLOR: '1' },
    maxBuffer: 64 * 2 ** 20,
  });
  return stdout;
}

/** Runs `ratchet`. @returns exit code and both streams; a non-zero exit code does not throw */
export async function ratchet(
  env: Record<string, string>,
  args: string[],
): Promise<{ code: number; stdout: string; stderr: string }> {
  const command = [`${root}/bin/ratchet.mjs`, ...args];
  try {
    return { code: 0, ...(await exec(process.execPath, command, { env, cwd: root, maxBuffer: 64 * 2 ** 20 })) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
}
