/** Light or dark. */
import type { JSX } from "preact";
import { usePage } from "./context.js";
import { MoonIcon, SunIcon } from "./icons.js";

export function ThemeToggle(): JSX.Element {
  const { theme } = usePage();
  const isDark = theme.current.value === "dark";
  const label = isDark ? "Use light colours" : "Use dark colours";
  return (
    <button
      type="button"
      class="icon-button"
      data-testid="theme-toggle"
      aria-label={label}
      title={label}
      onClick={() => theme.toggle()}
    >
      {isDark ? <SunIcon /> : <MoonIcon />}
    </button>
  );
}
