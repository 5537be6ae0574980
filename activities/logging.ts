import winston from 'winston';
import type { LogLevel, LogMetadata, Logger } from '@temporalio/common';
import { withoutUserinfo } from '../domain/without-userinfo.ts';

/** Structured logger; `child({ run, phase, attempt })` adds to every line of the child. */
export type Log = winston.Logger;

const { combine, timestamp, json, printf, errors } = winston.format;

/** Addresses come into lines from many places; their passwords come into none. */
const withoutPasswords = winston.format((info) => {
  for (const [name, value] of Object.entries(info)) if (typeof value === 'string') info[name] = withoutUserinfo(value);
  return info;
});

const asText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

const readable = printf(({ timestamp, level, message, service, run, phase, attempt, ...rest }) => {
  const place = phase === undefined || attempt === undefined ? phase : `${asText(phase)}#${asText(attempt)}`;
  const loud = level === 'info' ? undefined : level.toUpperCase();
  const head = [asText(timestamp).slice(11, 19), loud, service, run, place, message];
  const more = Object.entries(rest).map(([name, value]) => value !== undefined && `${name}=${asText(value)}`);
  return [...head, ...more]
    .filter((part) => part !== undefined && part !== false)
    .map(asText)
    .join(' ');
});

/**
 * Logger of a process, to stderr: readable where stderr is a terminal, JSON lines otherwise. Field `timestamp` is ISO 8601.
 *
 * @param options.service name of the process, in every line
 */
export function createLog(options: {
  service: string;
  level?: string;
  stream?: NodeJS.WritableStream & { isTTY?: boolean };
}): Log {
  const stream = options.stream ?? process.stderr;
  const format =
    stream.isTTY === true
      ? combine(errors(), withoutPasswords(), timestamp(), readable)
      : combine(errors(), withoutPasswords(), timestamp(), json());
  return winston.createLogger({
    level: options.level ?? 'info',
    defaultMeta: { service: options.service },
    format,
    // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- winston types its transports as interfaces
    transports: [new winston.transports.Stream({ stream })],
  });
}

const levels: Record<LogLevel, string> = { TRACE: 'silly', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' };

/** What the SDK adds to each line; of it only what a person looks for is kept. */
const kept = ['workflowId', 'activityType', 'activityId', 'workflowType', 'taskQueue', 'attempt', 'error'];

/** The Temporal SDK's logger (Runtime, activities, workflows) on top of ours; ids are renamed to run and phase. */
export function temporalLogger(log: Log): Logger {
  const write = (level: LogLevel, message: string, meta: LogMetadata = {}): void => {
    log.log(levels[level], message, fields(meta));
  };
  return {
    log: write,
    trace: (message, meta) => {
      write('TRACE', message, meta);
    },
    debug: (message, meta) => {
      write('DEBUG', message, meta);
    },
    info: (message, meta) => {
      write('INFO', message, meta);
    },
    warn: (message, meta) => {
      write('WARN', message, meta);
    },
    error: (message, meta) => {
      write('ERROR', message, meta);
    },
  };
}

function fields(meta: LogMetadata): Record<string, unknown> {
  const own = Object.entries(meta).filter(([name]) => kept.includes(name) || !sdkFields.has(name));
  const renamed = own.map(([name, value]): [string, unknown] => {
    if (name === 'workflowId') return ['run', value];
    if (name === 'error' && value instanceof Error) return ['error', value.stack ?? value.message];
    return [name, typeof value === 'bigint' ? String(value) : value];
  });
  return Object.fromEntries(renamed);
}

const sdkFields = new Set([
  'sdkComponent',
  'taskToken',
  'runId',
  'namespace',
  'isLocal',
  'timestampNanos',
  'workflowRunId',
]);
