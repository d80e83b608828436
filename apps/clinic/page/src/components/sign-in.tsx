/** Signing in, and why it is needed again where a session has ended. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { SignInAnswer } from "../session.js";
import { conditionTitles, describeFailure } from "../wording.js";
import { usePage } from "./context.js";
import { DemoPeopleChips } from "./demo-people.js";
import { BrandMark } from "./icons.js";
import { ThemeToggle } from "./theme-toggle.js";

export function SignIn(): JSX.Element {
  const { clinic } = usePage();
  const username = useSignal("");
  const password = useSignal("");
  const isBusy = useSignal(false);
  const problem = useSignal<Exclude<SignInAnswer, { kind: "signed-in" }> | undefined>(undefined);
  const usernameField = useRef<HTMLInputElement>(null);
  const submitButton = useRef<HTMLButtonElement>(null);

  useEffect(() => usernameField.current?.focus(), []);

  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    if (isBusy.peek()) return;
    isBusy.value = true;
    problem.value = undefined;
    const answer = await clinic.signIn(username.peek(), password.peek());
    isBusy.value = false;
    if (answer.kind !== "signed-in") problem.value = answer;
  }

  return (
    <div class="sign-in-page">
      <div class="sign-in-tools">
        <ThemeToggle />
      </div>
      <main class="sign-in-card">
        <div class="sign-in-brand">
          <BrandMark />
          <div>
            <h1>Hubward Clinic</h1>
            <p class="muted">Live ward dashboard</p>
          </div>
        </div>
        <SignInNotice problem={problem.value} />
        <form onSubmit={(event) => void submit(event)}>
          <label class="field">
            <span>Name</span>
            <input
              ref={usernameField}
              data-testid="username"
              name="username"
              autocomplete="username"
              autocapitalize="none"
              spellcheck={false}
              required
              value={username.value}
              onInput={(event) => (username.value = event.currentTarget.value)}
            />
          </label>
          <label class="field">
            <span>Password</span>
            <input
              data-testid="password"
              name="password"
              type="password"
              autocomplete="current-password"
              required
              value={password.value}
              onInput={(event) => (password.value = event.currentTarget.value)}
            />
          </label>
          <button ref={submitButton} class="button primary wide" data-testid="submit" aria-disabled={isBusy.value}>
            {isBusy.value ? "Signing in" : "Sign in"}
          </button>
        </form>
        <DemoPeopleChips
          onPick={(person) => {
            username.value = person.username;
            password.value = "demo";
            problem.value = undefined;
            submitButton.current?.focus();
          }}
        />
      </main>
    </div>
  );
}

function SignInNotice({ problem }: { readonly problem: Exclude<SignInAnswer, { kind: "signed-in" }> | undefined }) {
  const { clinic } = usePage();
  const session = clinic.session.state.value;
  if (problem !== undefined) {
    const { failure } = problem;
    const wait = failure.retryAfterSeconds === undefined ? "" : ` Try again in ${failure.retryAfterSeconds} s.`;
    const title = problem.kind === "unavailable" ? "Signing in did not work" : "You are not signed in";
    return (
      <Notice tone="problem" condition={failure.condition} title={title}>
        {describeFailure(failure) + wait}
      </Notice>
    );
  }
  if (session.phase === "signed-out" && session.because !== undefined) {
    const { because } = session;
    const isDenied = because.condition === "denied";
    return (
      <Notice
        tone="attention"
        condition={because.condition}
        title={isDenied ? conditionTitles.denied : conditionTitles.relogin}
        said={because.text}
      >
        {describeSessionEnd(because.name === undefined ? undefined : describeFailure(because))}
      </Notice>
    );
  }
  if (session.phase === "restoring") {
    return (
      <Notice tone="attention" condition="unavailable" title={conditionTitles.unavailable}>
        Your session is kept and will be restored as soon as the service answers.
      </Notice>
    );
  }
  if (clinic.isSignOutUnsure.value) {
    return (
      <Notice tone="attention" condition="unavailable" title="Signed out on this page only">
        The service could not be told. Until it is, the session may still be open: sign in and out again to end it.
      </Notice>
    );
  }
  return null;
}

function describeSessionEnd(sentence: string | undefined): string {
  return sentence ?? "Your session has ended.";
}

interface NoticeProps {
  readonly tone: "problem" | "attention";
  readonly condition: string;
  readonly title: string;
  readonly said?: string;
  readonly children: string;
}

function Notice({ tone, condition, title, said, children }: NoticeProps): JSX.Element {
  return (
    <div class={`notice ${tone}`} role="alert" data-testid="refusal" data-condition={condition}>
      <strong>{title}</strong>
      <p>{children}</p>
      {said === undefined || said === "" ? null : <code>{said}</code>}
    </div>
  );
}
