/** Heart rate above, saturation below, over the last minute and a half; redrawn once per reading at most. */
import { effect } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { PatientTrace } from "../vitals-store.js";
import { usePage } from "./context.js";
import { createTracePlot } from "./trace-plot.js";

export function Sparkline({ trace }: { readonly trace: PatientTrace }): JSX.Element {
  const { theme } = usePage();
  const frame = useRef<HTMLDivElement>(null);
  const heartInk = useRef<HTMLElement>(null);
  const saturationInk = useRef<HTMLElement>(null);
  const gridInk = useRef<HTMLElement>(null);

  useEffect(() => {
    const host = frame.current;
    if (host === null) return;
    const plot = createTracePlot(host, () => ({
      heartRate: colourOf(heartInk.current),
      spo2: colourOf(saturationInk.current),
      grid: colourOf(gridInk.current),
    }));
    let pending = 0;
    const draw = (): void => {
      pending = 0;
      plot.draw(trace.history.columns());
    };
    const request = (): void => {
      if (pending === 0) pending = requestAnimationFrame(draw);
    };
    const stop = effect(() => {
      // Read to be told of each reading and of a change of colours.
      void trace.reading.value;
      void theme.current.value;
      request();
    });
    const observer = new ResizeObserver(() => {
      plot.fit();
      request();
    });
    observer.observe(host);
    return () => {
      stop();
      observer.disconnect();
      cancelAnimationFrame(pending);
      plot.destroy();
    };
  }, [trace, theme]);

  return (
    <div class="sparkline" ref={frame} aria-hidden="true">
      <i class="ink ink-heart" ref={heartInk} />
      <i class="ink ink-saturation" ref={saturationInk} />
      <i class="ink ink-grid" ref={gridInk} />
    </div>
  );
}

/** A canvas knows no custom properties: the colours are read from elements that do. */
function colourOf(element: HTMLElement | null): string {
  return element === null ? "gray" : getComputedStyle(element).color;
}
