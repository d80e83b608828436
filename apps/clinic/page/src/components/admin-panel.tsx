/** For administrators: who is connected, for how long still, and what can be taken from them at once. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import type { Colleague, LiveConnection } from "../admin-api.js";
import { describeFailure, formatCountdown } from "../wording.js";
import { usePage } from "./context.js";

export function AdminPanel(): JSX.Element {
  const { clinic } = usePage();
  const { administration } = clinic;
  const overview = administration.overview.value;
  const outage = administration.outage.value;
  useEffect(() => administration.watch(), [administration]);

  return (
    <section class="panel admin" aria-labelledby="admin-title" data-testid="admin-panel">
      <div class="panel-head">
        <h2 id="admin-title">People and connections</h2>
        <span class="count" title="Live connections" data-testid="admin-count">
          {overview?.connections.length ?? 0}
        </span>
        <SuspendTenant />
      </div>
      {outage === undefined ? null : <p class="notice attention">{describeFailure(outage)}</p>}
      {overview === undefined && outage === undefined ? <p class="muted">Looking</p> : null}
      <ul class="admin-people">
        {overview?.people.map((person) => (
          <Person
            key={person.username}
            person={person}
            connections={overview.connections.filter(({ subject }) => subject === person.username)}
            seenAt={overview.seenAt}
          />
        ))}
      </ul>
    </section>
  );
}

interface PersonProps {
  readonly person: Colleague;
  readonly connections: readonly LiveConnection[];
  readonly seenAt: number;
}

function Person({ person, connections, seenAt }: PersonProps): JSX.Element {
  const { clinic } = usePage();
  const { username, department, roles, usualRoles, isSuspended } = person;
  const isOneself = clinic.identity.value?.subject === username;
  const facts = [roles.length === 0 ? "no role" : roles.join(", "), department?.toUpperCase()];
  return (
    <li
      class="admin-person"
      data-testid={`admin-person-${username}`}
      data-roles={roles.join(" ")}
      data-suspended={isSuspended}
    >
      <div class="admin-who">
        <p>
          <b>{username}</b>
          <span class="muted"> {facts.filter((fact) => fact !== undefined).join(" · ")}</span>
          {isSuspended ? <span class="admin-tag problem">Suspended</span> : null}
        </p>
        {isOneself ? (
          <span class="muted">You</span>
        ) : (
          <div class="admin-actions">
            {usualRoles.length === 0 ? null : <RoleButton person={person} />}
            <ChangeButton
              testId="admin-suspend"
              label={`${isSuspended ? "Lift the suspension of" : "Suspend"} ${username}`}
              text={isSuspended ? "Lift" : "Suspend"}
              onPress={() =>
                clinic.administration.change({ kind: isSuspended ? "lift" : "suspend", subject: username })
              }
            />
          </div>
        )}
      </div>
      {connections.length === 0 ? null : (
        <ul class="admin-connections">
          {connections.map((connection) => (
            <Connection key={connection.connectionId} connection={connection} seenAt={seenAt} isOneself={isOneself} />
          ))}
        </ul>
      )}
    </li>
  );
}

function RoleButton({ person: { username, roles, usualRoles } }: { readonly person: Colleague }): JSX.Element {
  const { clinic } = usePage();
  const hasThem = usualRoles.every((role) => roles.includes(role));
  const named = usualRoles.join(", ");
  return (
    <ChangeButton
      testId="admin-roles"
      label={hasThem ? `Take the role ${named} from ${username}` : `Give ${username} the role ${named} back`}
      text={hasThem ? `Take ${named}` : `Give ${named} back`}
      onPress={() =>
        clinic.administration.change({ kind: "roles", subject: username, roles: hasThem ? [] : usualRoles })
      }
    />
  );
}

interface ConnectionProps {
  readonly connection: LiveConnection;
  readonly seenAt: number;
  readonly isOneself: boolean;
}

function Connection({ connection, seenAt, isOneself }: ConnectionProps): JSX.Element {
  const { clinic, ticker } = usePage();
  const { subject, sessionId, standing, lapsedFor, leftMs, transport, remoteAddress, groups } = connection;
  const left = Math.max(0, leftMs - Math.max(0, ticker.value - seenAt));
  return (
    <li class="admin-connection" data-testid="admin-connection" data-subject={subject} data-standing={standing}>
      <p class="admin-facts">
        <span class={`admin-tag ${standing === "active" ? "well" : "attention"}`}>{lapsedFor ?? standing}</span>
        <span title="Until its credential ends">{formatCountdown(left)}</span>
        <span class="muted">{[transport, remoteAddress].filter((fact) => fact !== undefined).join(" · ")}</span>
        {sessionId === undefined ? null : (
          <span class="muted" title="Session">
            session <code>{sessionId.slice(0, 8)}</code>
          </span>
        )}
        <span data-testid="admin-groups">{groups.length === 0 ? "in no group" : groups.join(", ")}</span>
      </p>
      {sessionId === undefined || isOneself ? null : (
        <ChangeButton
          testId="admin-end-session"
          label={`End this session of ${subject}`}
          text="End session"
          onPress={() => clinic.administration.change({ kind: "end-session", session: sessionId })}
        />
      )}
    </li>
  );
}

/** Twice: it ends the administrator's own connection as well, and nobody of the hospital can take it back here. */
function SuspendTenant(): JSX.Element | null {
  const { clinic } = usePage();
  const isMeant = useSignal(false);
  const tenant = clinic.administration.overview.value?.tenant;
  if (tenant === undefined) return null;
  return (
    <button
      type="button"
      class={`button small ${isMeant.value ? "danger" : ""}`}
      data-testid="admin-suspend-tenant"
      onBlur={() => (isMeant.value = false)}
      onClick={() => {
        if (isMeant.peek()) void clinic.administration.change({ kind: "suspend-tenant", tenant });
        isMeant.value = !isMeant.peek();
      }}
    >
      {isMeant.value ? "Everybody, you too: press again" : `Suspend ${tenant}`}
    </button>
  );
}

interface ChangeButtonProps {
  readonly testId: string;
  readonly label: string;
  readonly text: string;
  readonly onPress: () => unknown;
}

function ChangeButton({ testId, label, text, onPress }: ChangeButtonProps): JSX.Element {
  const { clinic } = usePage();
  return (
    <button
      type="button"
      class="button small"
      data-testid={testId}
      aria-label={label}
      aria-disabled={clinic.administration.isChanging.value}
      onClick={() => void onPress()}
    >
      {text}
    </button>
  );
}
