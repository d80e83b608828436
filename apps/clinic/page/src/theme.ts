/** Light or dark: the system's choice until the person makes one. The only thing the page ever stores. */
import { type ReadonlySignal, signal } from "@preact/signals";

export type Theme = "light" | "dark";

export interface ThemeChoice {
  readonly current: ReadonlySignal<Theme>;
  toggle(): void;
}

const storageKey = "hubward-clinic-theme";

export function createThemeChoice(): ThemeChoice {
  const darkSystem = matchMedia("(prefers-color-scheme: dark)");
  const systemTheme = (): Theme => (darkSystem.matches ? "dark" : "light");
  const stored = readStored();
  const current = signal<Theme>(stored ?? systemTheme());
  let isChosen = stored !== undefined;
  if (stored !== undefined) document.documentElement.dataset["theme"] = stored;

  darkSystem.addEventListener("change", () => {
    if (!isChosen) current.value = systemTheme();
  });

  return {
    current,
    toggle() {
      const next = current.peek() === "dark" ? "light" : "dark";
      isChosen = true;
      document.documentElement.dataset["theme"] = next;
      current.value = next;
      try {
        localStorage.setItem(storageKey, next);
      } catch {
        // Storage may be switched off; the choice then lasts as long as the page.
      }
    },
  };
}

function readStored(): Theme | undefined {
  try {
    const stored = localStorage.getItem(storageKey);
    return stored === "light" || stored === "dark" ? stored : undefined;
  } catch {
    return undefined;
  }
}
