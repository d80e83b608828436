// @ts-check
/** Hubward on plain node:http. */

import { createServer } from "node:http";
import { json } from "node:stream/consumers";
import { attach, requirePolicy } from "@hubward/server/node";
import { announce, app, closeServer, host, onEnd, ownWard, patientsOf, port, signIn, staff } from "../ward.mjs";

/**
 * @typedef {import("node:http").IncomingMessage} Request
 * @typedef {import("node:http").ServerResponse} Response
 */

const me = requirePolicy(app, staff, (_request, response, { principal }) =>
  send(response, 200, { name: principal.subject, roles: principal.roles }),
);

const WARD_PATH = /^\/wards\/([a-z]+)\/patients$/;
const wardOf = (/** @type {Request} */ { url }) => WARD_PATH.exec(url ?? "")?.[1] ?? "";

const patients = requirePolicy(
  app,
  ownWard,
  (request, response) => send(response, 200, patientsOf(wardOf(request))),
  wardOf,
);

const server = createServer((request, response) => {
  const { method, url = "" } = request;
  response.on("finish", () => console.log(`${method} ${url} ${response.statusCode}`));
  if (method === "POST" && url === "/sign-in") void answerSignIn(request, response);
  else if (method === "GET" && url === "/me") void me(request, response);
  else if (method === "GET" && WARD_PATH.test(url)) void patients(request, response);
  else send(response, 404, { error: "no such route" });
});

/**
 * @param {Request} request
 * @param {Response} response
 */
async function answerSignIn(request, response) {
  const token = await signIn(await json(request).catch(() => undefined));
  if (token === undefined) send(response, 401, { error: "wrong name or password" });
  else send(response, 200, { access_token: token });
}

/**
 * @param {Response} response
 * @param {number} status
 * @param {unknown} value
 */
function send(response, status, value) {
  response.writeHead(status, { "content-type": "application/json; charset=utf-8" }).end(JSON.stringify(value));
}

attach(server, app);
server.listen(port, host);
announce(server);
onEnd(() => closeServer(server));
