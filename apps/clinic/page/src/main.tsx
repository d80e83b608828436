/** Starts the page. */
import { render } from "preact";
import { createClinic } from "./clinic.js";
import { browserClock, createTicker } from "./clock.js";
import { createCommandId } from "./command-id.js";
import { App } from "./components/app.js";
import { createThemeChoice } from "./theme.js";
import "uplot/dist/uPlot.min.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/header.css";
import "./styles/sign-in.css";
import "./styles/ward.css";
import "./styles/patient.css";
import "./styles/side.css";
import "./styles/admin.css";

const root = document.getElementById("app");
if (root === null) throw new TypeError("the page has no #app");

const clinic = createClinic({
  hubUrl: "/hubs/clinical",
  clock: browserClock,
  fetch: (path, init) => fetch(path, init),
  random: Math.random,
  createId: createCommandId,
});

window.addEventListener("online", () => {
  const state = clinic.connection.state.peek();
  if (state.kind === "closed" && state.nextTryAt !== undefined) clinic.connection.reconnectNow();
});

render(<App clinic={clinic} ticker={createTicker(browserClock)} theme={createThemeChoice()} />, root);
void clinic.session.restore();
