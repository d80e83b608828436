/** Rooms by the WebSocket that Node brings: joins, speaks, and prints each frame as a line, then how it was closed. */

const { ROOMS, TOKEN, WAY } = process.env;

async function ticket() {
  const headers = { authorization: `Bearer ${TOKEN}` };
  const answer = await fetch(`http://${ROOMS}/rooms/ticket`, { method: "POST", headers });
  return (await answer.json()).ticket;
}

const query = WAY === "ticket" ? `?ticket=${await ticket()}` : "";
const socket = new WebSocket(`ws://${ROOMS}/rooms${query}`, "hubward.rooms.v1");
const send = (frame) => socket.send(JSON.stringify(frame));
socket.onopen = () => {
  console.log(`subprotocol ${socket.protocol}`);
  if (WAY === "first frame") send({ type: "auth", id: 1, token: TOKEN });
};
socket.onmessage = ({ data }) => {
  console.log(data);
  if (JSON.parse(data).type !== "ready") return;
  send({ type: "join", id: 2, room: "ward/icu" });
  send({ type: "publish", id: 3, room: "ward/icu", event: "note", payload: "from afar" });
};
socket.onerror = () => console.log("refused");
socket.onclose = ({ code, reason }) => console.log(`closed ${code} ${reason}`);
