/** What the orchestrator worker bundles: one export per workflow type. */
export { selfImprovement } from './self-improvement.ts';
export { ablation } from './ablation.ts';
export { phaseA } from './phases/phase-a.ts';
export { phaseB } from './phases/phase-b.ts';
export { phaseC } from './phases/phase-c.ts';
