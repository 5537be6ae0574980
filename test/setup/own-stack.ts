import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stackEnvironment, stopStack } from '../../infra/embedded/index.ts';
import { freePorts } from './free-ports.ts';

/** A home and ports of its own, so that a test's stack meets no other. */
export type OwnStack = {
  home: string;
  /** For `startStack({ env })`: nothing of the user's own servers in it. */
  env: Record<string, string>;
  /** Ends whatever runs there and removes the folder. */
  remove: () => Promise<void>;
};

/** Makes the environment of a stack in a temporary folder, on ports that are free now; starts nothing. */
export async function ownStack(extra: Record<string, string> = {}): Promise<OwnStack> {
  const home = mkdtempSync(join(tmpdir(), 'ratchet-stack-'));
  const [temporal, temporalUi, s3, teacher] = await freePorts(4);
  const env = stackEnvironment({
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    RATCHET_TINY_BASE: process.env['RATCHET_TINY_BASE'],
    RATCHET_DATA: process.env['RATCHET_DATA'],
    RATCHET_HOME: home,
    RATCHET_TEMPORAL_PORT: String(temporal),
    RATCHET_TEMPORAL_UI_PORT: String(temporalUi),
    RATCHET_S3_PORT: String(s3),
    RATCHET_TEACHER_PORT: String(teacher),
    ...extra,
  });
  const remove = async () => {
    await stopStack(home);
    rmSync(home, { recursive: true, force: true });
  };
  return { home, env, remove };
}
