/**
 * Many clients of the ward in a process of their own, so that a server has all its file descriptors to itself. Does what
 * crowd.ts orders over the IPC channel, and ends with it.
 */

import { createAgent, negotiate } from "../../bench/lib/negotiate.mjs";
import { openRawWebSocket } from "../../bench/lib/raw-websocket-client.mjs";

const separator = 0x1e;
/** Every member says that it is there once in so many seconds. */
const pingEverySeconds = 7;

const agent = createAgent(16);
/** Those that are there, by number. */
const members = new Map();

const orders = {
  /** Up to an open WebSocket; then the server's side has to know whose it is. */
  async enter({ number, port, path, token }) {
    const { connectionId, connectionToken } = await negotiate({ port, token, agent, path });
    const headers = { authorization: `Bearer ${token}` };
    const socket = await openRawWebSocket({ port, path: `${path}?id=${connectionToken}`, headers });
    members.set(number, { socket, waiting: new Map(), calls: 0, isSilent: false });
    process.send({ type: "opened", number, connectionId, localPort: socket.localPort });
  },

  async begin({ number, wards }) {
    const member = members.get(number);
    member.socket.sendText('{"protocol":"json","version":1}\x1e');
    const answer = await member.socket.nextText();
    if (!answer.startsWith("{}\x1e")) throw new Error(`handshake: ${answer}`);
    listen(member);
    await Promise.all(wards.map((ward) => call(member, { target: "Join", args: [ward] })));
    process.send({ type: "entered", number });
  },

  call({ number, ...what }) {
    const member = members.get(number);
    if (member) void call(member, what);
  },

  /** Does not read for so long; for ever without `forMs`. */
  stall({ number, forMs }) {
    const member = members.get(number);
    if (!member) return;
    member.socket.pause();
    if (forMs === undefined) member.isSilent = true;
    else setTimeout(() => member.socket.resume(), forMs);
  },

  leave({ number, isClean }) {
    const member = members.get(number);
    if (!member) return;
    if (isClean) member.socket.close();
    else member.socket.destroy();
  },
};

function call(member, { id = String(++member.calls), target, args }) {
  const invocationId = id;
  return new Promise((resolve) => {
    member.waiting.set(invocationId, resolve);
    member.socket.sendText(`${JSON.stringify({ type: 1, invocationId, target, arguments: args })}\x1e`);
  });
}

function listen({ socket, waiting }) {
  socket.listen((buffer, start, end) => {
    for (let at = start; at < end;) {
      const next = buffer.indexOf(separator, at);
      if (next === -1 || next >= end) throw new Error("a record without its end");
      if (buffer[at + '{"type":'.length] === 0x33) {
        const message = JSON.parse(buffer.toString("utf8", at, next));
        waiting.get(message.invocationId)?.(message);
        waiting.delete(message.invocationId);
      }
      at = next + 1;
    }
  });
}

let second = 0;
setInterval(() => {
  second++;
  for (const [number, { socket, isSilent }] of members) {
    if (socket.ended !== null) {
      members.delete(number);
      process.send({ type: "ended", number, how: socket.ended });
    } else if (!isSilent && number % pingEverySeconds === second % pingEverySeconds) {
      socket.sendText('{"type":6}\x1e');
    }
  }
}, 1_000);

process.on("disconnect", () => process.exit(0));
process.on("message", (order) => {
  Promise.resolve(order)
    .then(orders[order.do])
    .catch((error) => {
      members.get(order.number)?.socket.destroy();
      process.send({ type: "failed", number: order.number, how: String(error.message) });
    });
});
