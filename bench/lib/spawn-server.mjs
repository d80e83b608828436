/**
 * The outside of a server process: starts it, asks it, ends it. Every child is known by its handle and dies with this
 * process, by Ctrl-C, by an error or by the time limit of its run.
 */

import { fork } from "node:child_process";
import { once } from "node:events";
import { openServerLog } from "./server-log.mjs";

const startLimitMs = 15_000;

/** @type {Set<import("node:child_process").ChildProcess>} */
const running = new Set();

process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});
for (const [signal, code] of /** @type {const} */ ([
  ["SIGINT", 130],
  ["SIGTERM", 143],
]))
  process.once(signal, () => process.exit(code));

/**
 * @typedef {object} SpawnedServer
 * @property {number} port
 * @property {number} pid
 * @property {(action: string, fields?: object) => Promise<any>} ask rejects when the server fails or ends
 * @property {() => Promise<void>} stop ends the process and resolves when it is gone
 */

/**
 * @param {object} options
 * @param {URL} options.file the peer's server
 * @param {import("./peer-process.mjs").PeerConfig} options.config
 * @param {readonly string[]} [options.execArgv] flags for node
 * @param {number} options.lifeLimitMs after this the process is killed, whatever it does
 * @returns {Promise<SpawnedServer>}
 */
export async function spawnServer({ file, config, execArgv = [], lifeLimitMs }) {
  const log = openServerLog();
  const child = fork(file, [], {
    execArgv: [...execArgv],
    env: { PATH: process.env["PATH"], NODE_ENV: "production", BENCH_CONFIG: JSON.stringify(config) },
    stdio: ["ignore", "ignore", log.descriptor, "ipc"],
  });
  running.add(child);
  const lifeTimer = setTimeout(() => child.kill("SIGKILL"), lifeLimitMs);

  /** @type {Map<number, { resolve: (value: any) => void, reject: (error: Error) => void }>} */
  const pending = new Map();
  let lastId = 0;
  let startTimer;
  const started = new Promise((resolve, reject) => {
    pending.set(0, { resolve, reject });
    startTimer = setTimeout(() => reject(new Error("the server did not start in time")), startLimitMs);
  });

  child.on("message", (message) => {
    if (message.listening) return pending.get(0)?.resolve(message.listening);
    const waiting = pending.get(message.id);
    pending.delete(message.id);
    if (message.error) waiting?.reject(new Error(message.error));
    else waiting?.resolve(message.result);
  });
  const fail = (text) => {
    if (!running.delete(child)) return;
    clearTimeout(lifeTimer);
    log.close();
    for (const { reject } of pending.values()) reject(new Error(text));
    pending.clear();
  };
  child.on("error", (error) => fail(`the server process failed: ${error.message}`));
  child.on("exit", (code, signal) => {
    const error = code === 0 || code === null ? undefined : log.findError();
    fail(`the server process ended (${signal ?? `exit ${code}`})${error ? `: ${error}` : ""}`);
  });

  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  };

  try {
    const port = await started;
    pending.delete(0);
    const ask = (action, fields = {}) =>
      new Promise((resolve, reject) => {
        if (!child.connected) return reject(new Error("the server process has ended"));
        const id = ++lastId;
        pending.set(id, { resolve, reject });
        child.send({ id, action, ...fields });
      });
    return { port, pid: child.pid, ask, stop };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    clearTimeout(startTimer);
  }
}
