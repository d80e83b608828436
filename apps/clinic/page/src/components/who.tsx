/** Who is connected, as the server sees it. */
import type { JSX } from "preact";
import { usePage } from "./context.js";

export function Who(): JSX.Element {
  const { clinic } = usePage();
  const who = clinic.identity.value;
  if (who === undefined) {
    return (
      <p class="who" data-testid="who">
        <span class="who-name">{clinic.signedInAs.value ?? "Signed in"}</span>
      </p>
    );
  }
  const tenant = who.tenant ?? clinic.demo.value.people.find(({ username }) => username === who.subject)?.tenant;
  const facts = [
    who.roles.length === 0 ? "no role" : who.roles.join(", "),
    who.department?.toUpperCase(),
    tenant,
  ].filter((fact) => fact !== undefined && fact !== "");
  return (
    <p class="who" data-testid="who">
      <span class="visually-hidden">Connected as </span>
      <span class="who-name">{who.subject}</span>
      <span class="who-facts">{facts.join(" · ")}</span>
    </p>
  );
}
