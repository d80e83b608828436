/** The last action the server refused. The connection and everything else go on. */
import type { JSX } from "preact";
import { conditionTitles, describeFailure } from "../wording.js";
import { usePage } from "./context.js";
import { BlockedIcon, CloseIcon } from "./icons.js";

export function RefusalBanner(): JSX.Element {
  const { clinic } = usePage();
  const refusal = clinic.refusal.value;
  // The live region stays in place, so that filling it is what gets announced.
  return (
    <div role="alert" class="refusal-region">
      {refusal === undefined ? null : (
        <div
          class="refusal"
          data-testid="refusal"
          data-condition={refusal.failure.condition}
          data-name={refusal.failure.name}
        >
          <BlockedIcon />
          <div class="refusal-words">
            <strong>
              {conditionTitles[refusal.failure.condition]}: {refusal.subject}
            </strong>
            <p>{describeFailure(refusal.failure)}</p>
            <code>{refusal.failure.text}</code>
          </div>
          <button type="button" class="icon-button" onClick={() => clinic.dismissRefusal()} aria-label="Dismiss">
            <CloseIcon />
          </button>
        </div>
      )}
    </div>
  );
}
