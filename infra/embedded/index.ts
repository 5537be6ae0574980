/** The embedded stack as a library, for the command line and for tests. */
import type { doctor as examine } from './doctor.ts';

export { StackProblem } from './problem.ts';
export { ensureSearchAttributes } from './search-attributes.ts';
export { startStack, stackStatus, stopStack, untilToldToEnd } from './stack.ts';
export type { Stack, StackOptions } from './stack.ts';
export { serviceNames, stackEnvironment, stackSettings } from './settings.ts';
export type { Environment, ServiceName, StackSettings } from './settings.ts';
export type { StackEvent } from './supervise.ts';
export type { Check } from './doctor.ts';

/** `doctor.ts`, loaded when called, since it brings every client along. */
export const doctor: typeof examine = async (env) => (await import('./doctor.ts')).doctor(env);
