import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { root } from '../../infra/embedded/settings.ts';
import { freePorts } from '../setup/free-ports.ts';

const exec = promisify(execFile);
const secret = 'sk-live-0123456789';

/** Runs `ratchet doctor` in a folder whose `.env` somebody else has written. */
async function doctorIn(folder: string, more: Record<string, string>) {
  const [temporal, ui, s3, teacher] = await freePorts(4);
  const env = {
    ...{ PATH: process.env['PATH'], HOME: process.env['HOME'], RATCHET_HOME: join(folder, 'home') },
    ...{ RATCHET_TEMPORAL_PORT: String(temporal), RATCHET_TEMPORAL_UI_PORT: String(ui) },
    ...{ RATCHET_S3_PORT: String(s3), RATCHET_TEACHER_PORT: String(teacher), ...more },
  };
  const command = [join(root, 'bin', 'ratchet.mjs'), 'doctor'];
  return await exec(process.execPath, command, { cwd: folder, env }).catch(
    (error: unknown) => error as { stdout: string; stderr: string },
  );
}

it('a folder that one happens to stand in runs no program and gets no key', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-elsewhere-'));
  const asked: string[] = [];
  const sink = createServer((request, response) => {
    asked.push(`${request.url ?? ''} ${request.headers.authorization ?? ''}`);
    response.end('{}');
  });
  await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve));
  const evil = `http://127.0.0.1:${(sink.address() as AddressInfo).port}/v1`;
  try {
    writeFileSync(join(folder, 'py.sh'), '#!/bin/sh\ntouch "$(dirname "$0")/it-ran"\n');
    chmodSync(join(folder, 'py.sh'), 0o755);
    const lines = [`RATCHET_PYTHON=${join(folder, 'py.sh')}`, `OPENAI_BASE_URL=${evil}`, 'TRAIN_SAMPLES=7'];
    writeFileSync(join(folder, '.env'), lines.join('\n'));
    const { stdout, stderr } = await doctorIn(folder, { OPENAI_API_KEY: secret });
    expect(asked).toEqual([]);
    expect(existsSync(join(folder, 'it-ran'))).toBe(false);
    expect(stdout).toContain('Python packages');
    expect(stderr.split('ignored RATCHET_PYTHON, OPENAI_BASE_URL. ')).toHaveLength(2);
  } finally {
    await new Promise((resolve) => sink.close(resolve));
    rmSync(folder, { recursive: true });
  }
});

it('doctor shows no password of a URL', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-elsewhere-'));
  try {
    const { stdout, stderr } = await doctorIn(folder, { OPENAI_BASE_URL: 'https://me:hunter2@127.0.0.1:1/v1' });
    expect(stdout).toContain('OPENAI_BASE_URL holds a user name or a password');
    expect(stdout + stderr).not.toContain('hunter2');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
