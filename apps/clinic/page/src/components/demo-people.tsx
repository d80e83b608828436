/** The demo's people as chips that fill the form. */
import type { JSX } from "preact";
import type { DemoPerson } from "../clinic-api.js";
import { usePage } from "./context.js";

export function DemoPeopleChips({ onPick }: { readonly onPick: (person: DemoPerson) => void }): JSX.Element | null {
  const { people, demoPasswords } = usePage().clinic.demo.value;
  if (!demoPasswords || people.length === 0) return null;
  return (
    <section class="demo-people" aria-labelledby="demo-people-title">
      <h2 id="demo-people-title">Demo people</h2>
      <ul>
        {people.map((person) => (
          <li key={person.username}>
            <button
              type="button"
              class="chip"
              data-testid={`demo-${person.username}`}
              onClick={() => onPick(person)}
              title={`Fill in ${person.username}`}
            >
              <b>{person.username}</b>
              <small>{describePerson(person)}</small>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function describePerson({ roles, department, tenant }: DemoPerson): string {
  return [roles.length === 0 ? "no role" : roles.join(", "), department.toUpperCase(), tenant]
    .filter((part) => part !== "")
    .join(" · ");
}
