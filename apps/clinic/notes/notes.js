/**
 * A ward's notes over the rooms protocol, with the browser's own WebSocket and nothing else. The access token lives in
 * memory; a new one is fetched with the cookie that the dashboard's sign-in left, and shown over the connection there is.
 */

const statusLine = document.getElementById("status");
const wardChoice = document.getElementById("ward");
const peopleLine = document.getElementById("people");
const refusalLine = document.getElementById("refusal");
const noteList = document.getElementById("notes");
const writing = document.getElementById("write");
const noteText = document.getElementById("text");
const sendButton = writing.querySelector("button");

/** How long after a `ping` an answer must have come. Milliseconds. */
const PONG_MS = 15_000;
const MAX_BACKOFF_MS = 30_000;

let socket;
/** In memory and nowhere else. */
let accessToken;
let lives = 0;
let failures = 0;
let asked = 0;
/** What becomes of the answers that are still to come, by id. */
const answers = new Map();
/** Drafts that have no answer yet: sent again over the next connection, under the same command. */
const unsent = new Map();
const people = new Map();

function show(state, text) {
  statusLine.dataset.state = state;
  statusLine.textContent = text;
  sendButton.disabled = state !== "live";
}

function refuse(text) {
  refusalLine.hidden = text === "";
  refusalLine.textContent = text;
}

function room() {
  return `ward/${wardChoice.value}`;
}

const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** A new access token; undefined where nobody is signed in. Another tab may be refreshing: then once more. */
async function fetchToken() {
  for (let tries = 0; tries < 5; tries++) {
    const response = await fetch("/auth/refresh", { method: "POST" });
    if (response.ok) return (await response.json()).access_token;
    if (response.status === 409) await wait(200 + Math.random() * 600);
    else if (response.status < 500 && response.status !== 429) return undefined;
    else throw new Error(`the sign-in cannot be renewed now (${response.status})`);
  }
  throw new Error("another tab keeps renewing the sign-in");
}

function send(frame) {
  socket.send(JSON.stringify(frame));
}

/** Sends a request; `onAnswer` gets the frame that answers it. */
function ask(frame, onAnswer) {
  const id = ++asked;
  answers.set(id, onAnswer);
  send({ ...frame, id });
}

async function connect() {
  const life = ++lives;
  show("connecting", "Connecting…");
  try {
    accessToken = await fetchToken();
    if (accessToken === undefined) return show("ended", "Nobody is signed in: sign in on the dashboard, then reload.");
    if (life === lives) open(accessToken, life);
  } catch (error) {
    comeBack(error.message);
  }
}

function open(token, life) {
  const url = new URL("/rooms", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const mine = new WebSocket(url, "hubward.rooms.v1");
  let lastWord;
  let heardAt = performance.now();
  socket = mine;
  answers.clear();

  // A page does not see the WebSocket's own pings: it asks for itself whether anybody is there.
  const heartbeat = setInterval(() => {
    if (performance.now() - heardAt > 2 * PONG_MS) mine.close();
    else if (mine.readyState === WebSocket.OPEN) send({ type: "ping" });
  }, PONG_MS);

  mine.onopen = () => send({ type: "auth", token });
  mine.onmessage = ({ data }) => {
    heardAt = performance.now();
    const frame = JSON.parse(data);
    if (frame.type === "closing") lastWord = frame;
    else receive(frame);
  };
  mine.onclose = () => {
    clearInterval(heartbeat);
    if (life === lives) ended(lastWord);
  };
}

/** Without last words the network failed: the credential is as good as before. */
function ended(lastWord) {
  const reason = lastWord?.reason ?? "the connection was lost";
  switch (lastWord?.action) {
    case "relogin":
      return show("ended", `Signed out (${reason}): sign in on the dashboard, then reload.`);
    case "fix-request":
      return show("ended", `This page and the server do not understand each other (${reason}).`);
    case undefined:
      if (lastWord !== undefined) return show("ended", `You may not be here (${reason}).`);
  }
  return comeBack(reason, lastWord?.retry_after);
}

function comeBack(reason, retryAfter = 0) {
  const backoff = Math.min(MAX_BACKOFF_MS, 1_000 * 2 ** failures++);
  const delay = Math.max(retryAfter * 1_000, backoff) * (0.5 + Math.random() * 0.5);
  show("connecting", `Connecting again (${reason})…`);
  setTimeout(() => void connect(), delay);
}

function receive(frame) {
  switch (frame.type) {
    case "ready":
      failures = 0;
      show("live", "Live");
      send({ type: "notices" });
      return enter();
    case "message":
      if (frame.event === "note" && frame.room === room()) addNote(frame.payload);
      return;
    case "presence":
      if (frame.room !== room()) return;
      for (const { subject } of frame.joined) people.set(subject, true);
      for (const { subject } of frame.left) people.delete(subject);
      return showPeople();
    case "left":
      if (frame.room === room() && frame.why !== "asked") refuse("You may not read this ward's notes any more.");
      return;
    case "notice":
      if (frame.notice === "expiring" || frame.notice === "expired") void renew();
      return;
    default: {
      const onAnswer = answers.get(frame.id);
      answers.delete(frame.id);
      onAnswer?.(frame);
    }
  }
}

async function renew() {
  const mine = socket;
  try {
    const token = await fetchToken();
    if (token === undefined || socket !== mine) return;
    accessToken = token;
    ask({ type: "auth", token }, (answer) => {
      if (answer.type === "error") show("live", `The credential was not renewed (${answer.reason})`);
    });
  } catch {
    // The server says when it is over; until then the next notice, or the next connection, tries again.
  }
}

/** Joins the ward, then reads what was said before: a note that comes meanwhile is there twice and shown once. */
function enter() {
  const entered = room();
  people.clear();
  showPeople();
  noteList.replaceChildren();
  refuse("");
  ask({ type: "join", room: entered }, (answer) => {
    if (answer.type === "error") return refuse(describe(answer));
    ask({ type: "who", room: entered, follow: true }, (present) => {
      if (present.type !== "present" || entered !== room()) return;
      for (const { subject } of present.members) people.set(subject, true);
      showPeople();
    });
    for (const [command, text] of unsent) publish(text, command);
    void readEarlier(entered);
  });
}

async function readEarlier(entered) {
  try {
    const response = await fetch(`/api/notes?ward=${wardChoice.value}`, {
      headers: { authorization: `Bearer ${accessToken}` },
    });
    if (response.ok && entered === room()) for (const note of await response.json()) addNote(note);
  } catch {
    // What was said before is missing; what is said from now on is not.
  }
}

function publish(text, command) {
  unsent.set(command, text);
  ask({ type: "publish", room: room(), event: "note", payload: text, command }, (answer) => {
    // What nobody can say now is sent again over the next connection.
    if (answer.type === "error" && answer.action === "retry-after") {
      refuse(describe(answer));
      setTimeout(() => unsent.has(command) && publish(text, command), (answer.retry_after ?? 1) * 1_000);
      return;
    }
    unsent.delete(command);
    refuse(answer.type === "error" ? describe(answer) : "");
  });
}

function describe({ reason, detail }) {
  return detail === undefined ? `Refused: ${reason}` : `Refused: ${detail} (${reason})`;
}

function showPeople() {
  const names = [...people.keys()].sort((a, b) => a.localeCompare(b));
  peopleLine.textContent = names.length === 0 ? "" : `Here: ${names.join(", ")}`;
}

function addNote({ noteId, text, by, at }) {
  if (noteList.querySelector(`[data-note-id="${CSS.escape(noteId)}"]`) !== null) return;
  const item = document.createElement("li");
  item.dataset.noteId = noteId;
  item.dataset.at = String(at);
  const author = document.createElement("span");
  author.textContent = `${by}, ${new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}`;
  item.append(text, author);
  const later = [...noteList.children].find((other) => Number(other.dataset.at) > at);
  noteList.insertBefore(item, later ?? null);
  if (later === undefined) item.scrollIntoView({ block: "nearest" });
}

wardChoice.addEventListener("change", () => {
  if (socket?.readyState !== WebSocket.OPEN) return;
  for (const other of wardChoice.options) {
    if (`ward/${other.value}` !== room()) ask({ type: "leave", room: `ward/${other.value}` }, () => undefined);
  }
  enter();
});

writing.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = noteText.value.trim();
  if (text === "") return;
  noteText.value = "";
  publish(text, crypto.randomUUID());
});

show("connecting", "Connecting…");
void connect();
