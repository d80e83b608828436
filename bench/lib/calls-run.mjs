/** One measurement of one peer: connections that call or publish in a closed loop, or take one stream after
 * another. */

import { callers, createAgent } from "./call-clients.mjs";
import { nowUs, pause, withTimeLimit } from "./clock.mjs";
import { connectConcurrency } from "./connections.mjs";
import { watchOthers } from "./machine.mjs";

/**
 * @typedef {object} CallsCase
 * @property {"call" | "stream" | "publish"} action what each connection asks for; `publish`: in a room of its own
 * @property {"calls" | "items" | "publications"} unit what is counted
 * @property {number} connections
 * @property {number} inFlight calls that each connection waits for at a time; of streams always one
 * @property {number} itemsPerStream
 *
 * @param {CallsCase & { peer: string, seconds: number, warmupSeconds: number, tokens: readonly string[],
 *   config: import("./peer-process.mjs").PeerConfig, runLimitMs: number }} options
 */
export async function runCalls(options) {
  const caller = callers[options.peer];
  const server = await caller.start(options.config, options.runLimitMs + 5_000);
  const agent = createAgent(connectConcurrency);
  const sockets = [];
  let counted = 0;
  let isOver = false;

  const work = async () => {
    for (let index = 0; index < options.connections; index++) {
      const socket = await caller.connect(server.port, options.tokens[index], agent);
      sockets.push(socket);
      const room = `ward-${index}`;
      if (options.action === "publish") await caller.join(socket, room);
      drive(socket, room);
    }
    await pause(options.warmupSeconds * 1000);
    const before = await server.ask("usage");
    const ownBefore = process.cpuUsage();
    const others = watchOthers();
    const [beganAtUs, countedBefore] = [nowUs(), counted];
    await pause(options.seconds * 1000);
    const after = await server.ask("usage");
    const units = counted - countedBefore;
    const windowUs = nowUs() - beganAtUs;
    const own = process.cpuUsage(ownBefore);
    const cpuUs = after.cpuUs - before.cpuUs;
    if (units === 0) throw new Error("nothing was answered");
    const dead = sockets.filter(({ ended }) => ended !== null);
    if (dead.length > 0) throw new Error(`${dead.length} connections ended: ${dead[0].ended}`);
    return {
      units,
      cpuPerUnitUs: cpuUs / units,
      systemPerUnitUs: (after.systemUs - before.systemUs) / units,
      unitsPerSecond: (units * 1_000_000) / windowUs,
      serverLoad: cpuUs / windowUs,
      callerLoad: (own.user + own.system) / windowUs,
      otherLoad: others(cpuUs + own.user + own.system),
    };
  };

  function drive(socket, room) {
    let id = 0;
    const ask = () => {
      id++;
      if (options.action === "stream") socket.sendText(caller.stream(id, options.itemsPerStream));
      else socket.sendText(options.action === "publish" ? caller.publish(id, room) : caller.call(id));
    };
    socket.listen((buffer, start, end) => {
      if (isOver) return;
      caller.read(buffer, start, end, (kind) => {
        if (kind === "item" && options.unit === "items") counted++;
        if (kind !== "answer") return;
        if (options.unit !== "items") counted++;
        ask();
      });
    });
    for (let call = 0; call < options.inFlight; call++) ask();
  }

  try {
    return await withTimeLimit(work(), { limitMs: options.runLimitMs, label: caller.title });
  } finally {
    isOver = true;
    await server.stop();
    agent.destroy();
    for (const socket of sockets) socket.destroy();
  }
}
