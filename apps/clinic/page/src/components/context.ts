/** What every component may reach: the clinic, the time and the theme. */
import type { ReadonlySignal } from "@preact/signals";
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Clinic } from "../clinic.js";
import type { ThemeChoice } from "../theme.js";

export interface PageContext {
  readonly clinic: Clinic;
  /** The current instant, renewed twice a second. */
  readonly ticker: ReadonlySignal<number>;
  readonly theme: ThemeChoice;
}

const Context = createContext<PageContext | undefined>(undefined);

export const PageProvider = Context.Provider;

export function usePage(): PageContext {
  const page = useContext(Context);
  if (page === undefined) throw new TypeError("usePage outside of <PageProvider>");
  return page;
}
