/** `POST {hub}/negotiate`: versions, ids, transports, refusals, CORS. TransportProtocols.md. */

import type { Script, ScriptRun } from "../runner/script.js";

const HUB = "/hubs/main";

function asks(name: string, path: string, method = "POST", headers: Readonly<Record<string, string>> = {}): ScriptRun {
  return { name, play: async (run) => void (await run.ask({ method, path, headers })) };
}

const preflight = {
  origin: "https://app.example",
  "access-control-request-method": "POST",
  "access-control-request-headers": "authorization,x-requested-with,x-signalr-user-agent",
};

export const negotiate: Script = {
  name: "negotiate",
  runs: [
    asks("version 1", `${HUB}/negotiate?negotiateVersion=1`),
    asks("no version is version 0", `${HUB}/negotiate`),
    asks("version 0", `${HUB}/negotiate?negotiateVersion=0`),
    asks("an empty version", `${HUB}/negotiate?negotiateVersion=`),
    asks("a version that is not spoken yet is answered as 1", `${HUB}/negotiate?negotiateVersion=7`),
    asks("a version that is no number", `${HUB}/negotiate?negotiateVersion=one`),
    asks("a version that is no whole number", `${HUB}/negotiate?negotiateVersion=1.5`),
    asks("a negative version", `${HUB}/negotiate?negotiateVersion=-1`),
    asks("a version with spaces around it", `${HUB}/negotiate?negotiateVersion=%201%20`),
    asks("a version beyond 32 bits", `${HUB}/negotiate?negotiateVersion=4294967297`),
    asks("the version twice", `${HUB}/negotiate?negotiateVersion=0&negotiateVersion=1`),
    asks("a version below what the hub wants", "/hubs/version-one/negotiate"),
    asks("the version that the hub wants", "/hubs/version-one/negotiate?negotiateVersion=1"),
    asks("names in the query in another case", `${HUB}/negotiate?NEGOTIATEVERSION=1`),
    asks("the path in another case", "/HUBS/Main/Negotiate?negotiateVersion=1"),
    asks("a slash behind the path", `${HUB}/negotiate/?negotiateVersion=1`),
    asks("other things in the query are left alone", `${HUB}/negotiate?ward=icu&negotiateVersion=1`),
    asks("an id in the query is not looked at", `${HUB}/negotiate?id=anything&negotiateVersion=1`),
    asks(
      "stateful reconnect where it is allowed",
      "/hubs/resumable/negotiate?negotiateVersion=1&useStatefulReconnect=true",
    ),
    asks(
      "stateful reconnect in other letters",
      "/hubs/resumable/negotiate?negotiateVersion=1&useStatefulReconnect=True",
    ),
    asks("stateful reconnect not asked for", "/hubs/resumable/negotiate?negotiateVersion=1"),
    asks("stateful reconnect with version 0", "/hubs/resumable/negotiate?useStatefulReconnect=true"),
    asks("stateful reconnect where it is not allowed", `${HUB}/negotiate?negotiateVersion=1&useStatefulReconnect=true`),
    asks("WebSockets only", "/hubs/web-sockets/negotiate?negotiateVersion=1"),
    asks("server-sent events only", "/hubs/server-sent-events/negotiate?negotiateVersion=1"),
    asks("long polling only", "/hubs/long-polling/negotiate?negotiateVersion=1"),
    asks("a hub that speaks JSON only", "/hubs/json-only/negotiate?negotiateVersion=1"),
    asks("GET", `${HUB}/negotiate?negotiateVersion=1`, "GET"),
    asks("PUT", `${HUB}/negotiate?negotiateVersion=1`, "PUT"),
    asks("DELETE", `${HUB}/negotiate?negotiateVersion=1`, "DELETE"),
    asks("HEAD", `${HUB}/negotiate?negotiateVersion=1`, "HEAD"),
    asks("OPTIONS without an origin", `${HUB}/negotiate?negotiateVersion=1`, "OPTIONS"),
    {
      name: "a body is ignored",
      play: async (run) => {
        await run.ask({ method: "POST", path: `${HUB}/negotiate?negotiateVersion=1`, body: "anything" });
      },
    },
    {
      name: "nobody",
      play: async (run) => {
        await run.ask({ method: "POST", path: `${HUB}/negotiate?negotiateVersion=1`, as: null });
        await run.ask({ method: "GET", path: `${HUB}/negotiate?negotiateVersion=1`, as: null });
      },
    },
    {
      name: "a token in the query",
      play: async (run) => {
        const { authorization } = await run.bearer("ada");
        const token = authorization.slice("Bearer ".length);
        await run.ask({ method: "POST", path: `${HUB}/negotiate?negotiateVersion=1&access_token=${token}`, as: null });
      },
    },
    asks("a hub that does not exist", "/hubs/none/negotiate?negotiateVersion=1"),
    asks("a path below the hub", `${HUB}/other`),
  ],
};

export const cors: Script = {
  name: "cors",
  runs: [
    {
      name: "a preflight is answered before anything else",
      play: async (run) => {
        await run.ask({ method: "OPTIONS", path: `${HUB}/negotiate?negotiateVersion=1`, headers: preflight, as: null });
      },
    },
    {
      name: "a preflight of a send, a poll and an end",
      play: async (run) => {
        for (const method of ["POST", "GET", "DELETE"]) {
          const headers = { ...preflight, "access-control-request-method": method };
          await run.ask({ method: "OPTIONS", path: `${HUB}?id=none`, headers, as: null });
        }
      },
    },
    {
      name: "a preflight of another origin",
      play: async (run) => {
        const headers = { ...preflight, origin: "https://other.example" };
        await run.ask({ method: "OPTIONS", path: `${HUB}/negotiate?negotiateVersion=1`, headers, as: null });
      },
    },
    {
      name: "a negotiate of the page's origin",
      play: async (run) => {
        const headers = { origin: preflight.origin };
        await run.ask({ method: "POST", path: `${HUB}/negotiate?negotiateVersion=1`, headers });
      },
    },
    {
      name: "a refused negotiate of the page's origin can be read by the page",
      play: async (run) => {
        const headers = { origin: preflight.origin };
        await run.ask({ method: "POST", path: `${HUB}/negotiate?negotiateVersion=1`, headers, as: null });
      },
    },
    {
      name: "a negotiate of another origin",
      play: async (run) => {
        const headers = { origin: "https://other.example" };
        await run.ask({ method: "POST", path: `${HUB}/negotiate?negotiateVersion=1`, headers });
      },
    },
    {
      name: "a WebSocket, a poll and a send of another origin",
      play: async (run) => {
        const { connectionToken } = await run.negotiate();
        const headers = { origin: "https://other.example" };
        await run.ask({ path: `${HUB}?id=${connectionToken}`, headers });
        await run.ask({ method: "POST", path: `${HUB}?id=${connectionToken}`, headers });
      },
    },
  ],
};
