/** The embedded stack as a library, for the command line and for tests. */
export { StackProblem } from './problem.ts';
export { startStack, stackStatus, stopStack, untilToldToEnd } from './stack.ts';
export type { Stack, StackOptions } from './stack.ts';
export { serviceNames, stackEnvironment, stackSettings } from './settings.ts';
export type { Environment, ServiceName, StackSettings } from './settings.ts';
export type { StackEvent } from './supervise.ts';
export { doctor } from './doctor.ts';
export type { Check } from './doctor.ts';
