/** @typedef {{ name: string, after?: readonly string[], run: (say: (activity: string) => void) => Promise<string> }} Step `run` resolves to what it did, in a few words. */

/**
 * Runs steps side by side where `after` allows it, a line for each when it ends with what it did and its seconds;
 * in between, what is going on (a ticking line on a terminal, else a line every 30 s).
 *
 * @param {readonly Step[]} steps
 * @returns {Promise<{ name: string, error: unknown }[]>} the steps that failed; those after a failed one are left out
 */
export async function runSteps(steps) {
  /** @type {Map<string, { activity: string, startMs: number }>} */
  const active = new Map();
  /** @type {Map<string, Promise<boolean>>} */
  const outcomes = new Map();
  /** @type {{ name: string, error: unknown }[]} */
  const failures = [];
  const stopTicker = startTicker(active);
  const width = Math.max(...steps.map((step) => step.name.length));
  for (const step of steps) {
    const before = (step.after ?? []).map((name) => outcomes.get(name));
    const outcome = (async () => {
      if ((await Promise.all(before)).includes(false)) return false;
      const startMs = Date.now();
      active.set(step.name, { activity: step.name, startMs });
      try {
        const did = await step.run((activity) => active.set(step.name, { activity, startMs: Date.now() }));
        printLine(`  ${step.name.padEnd(width)}  ${did}  (${seconds(startMs, 1)} s)`);
        return true;
      } catch (error) {
        printLine(`  ${step.name.padEnd(width)}  FAILED  (${seconds(startMs, 1)} s)`);
        failures.push({ name: step.name, error });
        return false;
      } finally {
        active.delete(step.name);
      }
    })();
    outcomes.set(step.name, outcome);
  }
  await Promise.all(outcomes.values());
  stopTicker();
  return failures;
}

/** @param {Map<string, { activity: string, startMs: number }>} active */
function startTicker(active) {
  const describe = () =>
    [...active.values()].map(({ activity, startMs }) => `${activity} ${seconds(startMs, 0)} s`).join(' · ');
  const tick = () => {
    if (active.size === 0) return;
    if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K  … ${describe()}`.slice(0, process.stdout.columns + 4));
    else console.log(`  … ${describe()}`);
  };
  const timer = setInterval(tick, process.stdout.isTTY ? 1_000 : 30_000);
  return () => clearInterval(timer);
}

/** @param {string} text */
function printLine(text) {
  if (process.stdout.isTTY) process.stdout.write('\r\x1b[K');
  console.log(text);
}

/** @param {number} sinceMs @param {number} digits */
function seconds(sinceMs, digits) {
  return ((Date.now() - sinceMs) / 1000).toFixed(digits);
}
