/** One small uPlot chart with two lanes: heart rate in the upper half, saturation in the lower. */
import uPlot from "uplot";
import type { Columns } from "../ring-buffer.js";

export interface TraceColours {
  readonly heartRate: string;
  readonly spo2: string;
  readonly grid: string;
}

export interface TracePlot {
  draw(columns: Columns): void;
  /** Takes the size of its host. */
  fit(): void;
  destroy(): void;
}

/** Seconds shown: what there is, from a third of the window on. */
const windowSeconds = 90;
const leastSeconds = 30;
const gridSeconds = 30;

export function createTracePlot(host: HTMLElement, colours: () => TraceColours): TracePlot {
  const size = (): { width: number; height: number } => ({
    width: Math.max(40, host.clientWidth),
    height: Math.max(24, host.clientHeight),
  });
  let ink = colours();

  const line = (colour: () => string, scale: string): uPlot.Series => ({
    scale,
    stroke: () => colour(),
    width: 1.75,
    cap: "round",
    spanGaps: false,
    points: { show: false },
  });

  const plot = new uPlot(
    {
      ...size(),
      padding: [5, 6, 5, 0],
      cursor: { show: false },
      legend: { show: false },
      select: { show: false, left: 0, top: 0, width: 0, height: 0 },
      axes: [{ show: false }, { show: false }, { show: false }],
      scales: {
        x: { time: false, range: (drawn) => visibleRange(drawn.data[0]) },
        heartRate: { range: (_plot, min, max) => lane(min, max, 16, "upper") },
        spo2: { range: (_plot, min, max) => lane(min, max, 6, "lower") },
      },
      series: [{}, line(() => ink.heartRate, "heartRate"), line(() => ink.spo2, "spo2")],
      hooks: {
        drawClear: [(drawn) => drawGrid(drawn, ink.grid)],
        draw: [
          (drawn) => {
            drawHead(drawn, 1, "heartRate", ink.heartRate);
            drawHead(drawn, 2, "spo2", ink.spo2);
          },
        ],
      },
    },
    [[], [], []],
    host,
  );

  return {
    draw(columns) {
      ink = colours();
      plot.setData(columns);
    },
    fit: () => plot.setSize(size()),
    destroy: () => plot.destroy(),
  };
}

/** Ends at the newest reading. Read from the data itself: uPlot pads what it passes when there is one reading only. */
function visibleRange(times: ArrayLike<number>): [number, number] {
  const last = times[times.length - 1] ?? 0;
  const seconds = last - (times[0] ?? last);
  return [last - Math.min(windowSeconds, Math.max(leastSeconds, seconds)), last];
}

/** A range in which the values fill their own half of the chart, however little they move. */
function lane(min: number | null, max: number | null, least: number, half: "upper" | "lower"): [number, number] {
  if (min === null || max === null) return [0, 1];
  const middle = (min + max) / 2;
  const span = Math.max(least, max - min);
  const low = middle - span / 2;
  const high = middle + span / 2;
  return half === "upper" ? [low - span * 1.2, high] : [low, high + span * 1.2];
}

/** A faint line every half minute: it is what makes a flat trace visibly move. */
function drawGrid(plot: uPlot, colour: string): void {
  const { ctx, bbox } = plot;
  const { min, max } = plot.scales["x"] ?? {};
  if (min === undefined || max === undefined || min === null || max === null) return;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  for (let at = Math.ceil(min / gridSeconds) * gridSeconds; at <= max; at += gridSeconds) {
    const x = Math.round(plot.valToPos(at, "x", true)) + 0.5;
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
  }
  ctx.stroke();
  ctx.restore();
}

/** A dot where the line is now. */
function drawHead(plot: uPlot, series: number, scale: string, colour: string): void {
  const times = plot.data[0];
  const value = plot.data[series]?.at(-1);
  const at = times.at(-1);
  if (at === undefined || value === undefined || value === null) return;
  const { ctx } = plot;
  ctx.save();
  ctx.fillStyle = colour;
  ctx.beginPath();
  ctx.arc(plot.valToPos(at, "x", true), plot.valToPos(value, scale, true), 2.6 * devicePixelRatio, 0, Math.PI * 2);
  ctx.fill();
  ctx.restore();
}
