/** A curve small enough for a page, however many steps the training had. */

/** Mean over `steps` consecutive optimizer steps; `low` and `high` are the extremes of the loss among them. */
export type CurvePoint = {
  step: number;
  steps: number;
  loss: number;
  low: number;
  high: number;
  learningRate?: number;
  gradNorm?: number;
  margin?: number;
  accuracy?: number;
  chosenLogp?: number;
  rejectedLogp?: number;
  chosenRatio?: number;
  beta?: number;
};

/** `unreadable` counts rows that were no step and no eval event, or whose loss was no number. */
export type TrainingCurve = {
  steps: number;
  tokens: number | null;
  tokensPerSecond: number | null;
  points: CurvePoint[];
  evals: { step: number; loss: number }[];
  unreadable: number;
};

const averaged = [
  'learningRate',
  'gradNorm',
  'margin',
  'accuracy',
  'chosenLogp',
  'rejectedLogp',
  'chosenRatio',
  'beta',
] as const;
const most = 400;

type Row = Record<string, unknown>;
const number = (row: Row, field: string) => {
  const value = row[field];
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
};

/**
 * Reads metrics row by row and keeps at most {@link most} points: when they get too many, neighbours are merged, so a
 * million rows cost no more memory than a thousand. A step that comes again after a resume is taken once.
 *
 * @param rows the trainer's `step` and `eval` events, in order
 */
export async function readCurve(rows: AsyncIterable<unknown> | Iterable<unknown>): Promise<TrainingCurve> {
  const curve: TrainingCurve = { steps: 0, tokens: null, tokensPerSecond: null, points: [], evals: [], unreadable: 0 };
  const speed = { sum: 0, n: 0 };
  let width = 1;
  let open: CurvePoint | null = null;
  let lastStep = 0;
  for await (const raw of rows) {
    const row = typeof raw === 'object' && raw !== null ? (raw as Row) : {};
    const step = number(row, 'step');
    const loss = number(row, 'loss');
    if (step === undefined || loss === undefined) {
      curve.unreadable += 1;
      continue;
    }
    if (row['event'] === 'eval') {
      addEval(curve, { step, loss });
      continue;
    }
    if (step <= lastStep) continue;
    lastStep = step;
    curve.steps += 1;
    curve.tokens = number(row, 'tokens') ?? curve.tokens;
    const tokensPerSecond = number(row, 'tokensPerSecond');
    if (tokensPerSecond !== undefined) Object.assign(speed, { sum: speed.sum + tokensPerSecond, n: speed.n + 1 });
    const point = pointOf(row, step, loss);
    open = open === null ? point : merge(open, point);
    if (open.steps < width) continue;
    curve.points.push(open);
    open = null;
    if (curve.points.length >= most) {
      curve.points = halve(curve.points);
      width *= 2;
    }
  }
  if (open !== null) curve.points.push(open);
  if (speed.n > 0) curve.tokensPerSecond = speed.sum / speed.n;
  return curve;
}

function addEval(curve: TrainingCurve, point: { step: number; loss: number }) {
  if (point.step <= (curve.evals.at(-1)?.step ?? -1)) return;
  curve.evals.push(point);
  if (curve.evals.length > most) curve.evals = curve.evals.filter((_, index) => index % 2 === 1);
}

function pointOf(row: Row, step: number, loss: number): CurvePoint {
  const point: CurvePoint = { step, steps: 1, loss, low: loss, high: loss };
  for (const field of averaged) {
    const value = number(row, field);
    if (value !== undefined) point[field] = value;
  }
  return point;
}

function merge(a: CurvePoint, b: CurvePoint): CurvePoint {
  const steps = a.steps + b.steps;
  const mean = (x: number, y: number) => (x * a.steps + y * b.steps) / steps;
  const point: CurvePoint = {
    step: b.step,
    steps,
    loss: mean(a.loss, b.loss),
    low: Math.min(a.low, b.low),
    high: Math.max(a.high, b.high),
  };
  for (const field of averaged) {
    const x = a[field];
    const y = b[field];
    if (x !== undefined && y !== undefined) point[field] = mean(x, y);
  }
  return point;
}

function halve(points: CurvePoint[]): CurvePoint[] {
  const halved: CurvePoint[] = [];
  for (let index = 0; index < points.length; index += 2) {
    const a = points[index] as CurvePoint;
    const b = points[index + 1];
    halved.push(b === undefined ? a : merge(a, b));
  }
  return halved;
}
