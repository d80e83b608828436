/** What the server said, newest last, with a filter. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { LogKind } from "../server-log.js";
import { usePage } from "./context.js";

const kindNames: Readonly<Record<LogKind, string>> = {
  connection: "Connection",
  credential: "Credential",
  refusal: "Refusal",
  order: "Order",
  note: "Note",
  alarm: "Alarm",
};

export function LogPanel(): JSX.Element {
  const { clinic } = usePage();
  const filter = useSignal<LogKind | "">("");
  const list = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const shown = clinic.log.entries.value.filter(({ kind }) => filter.value === "" || kind === filter.value);

  // Follows the newest entry, unless the person has scrolled up to read.
  useLayoutEffect(() => {
    const element = list.current;
    if (element !== null && isAtEnd.current) element.scrollTop = element.scrollHeight;
  });

  return (
    <section class="panel log-panel" aria-labelledby="log-title">
      <div class="panel-head">
        <h2 id="log-title">Server log</h2>
        <select
          aria-label="Show entries of kind"
          data-testid="log-filter"
          value={filter.value}
          onChange={(event) => (filter.value = asKind(event.currentTarget.value))}
        >
          <option value="">All</option>
          {Object.entries(kindNames).map(([kind, name]) => (
            <option key={kind} value={kind}>
              {name}
            </option>
          ))}
        </select>
        <button type="button" class="button small" data-testid="log-clear" onClick={() => clinic.log.clear()}>
          Clear
        </button>
      </div>
      <div
        class="log"
        ref={list}
        data-testid="server-log"
        role="log"
        aria-live="polite"
        aria-labelledby="log-title"
        tabIndex={0}
        onScroll={(event) => {
          const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
          isAtEnd.current = scrollHeight - scrollTop - clientHeight < 24;
        }}
      >
        <ol>
          {shown.map(({ id, at, kind, text, said }) => (
            <li key={id} data-kind={kind}>
              <time dateTime={at.toISOString()}>{at.toLocaleTimeString([], { hourCycle: "h23" })}</time>
              <span class="log-kind">{kindNames[kind]}</span>
              <span class="log-text">
                {text}
                {said === undefined ? null : <code>{said}</code>}
              </span>
            </li>
          ))}
        </ol>
      </div>
      {shown.length === 0 ? <p class="muted">Nothing to show.</p> : null}
    </section>
  );
}

function asKind(value: string): LogKind | "" {
  return value in kindNames ? (value as LogKind) : "";
}
