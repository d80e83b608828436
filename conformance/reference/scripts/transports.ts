/** Every answer of `{hub}?id=…`: which request, in which state. HttpConnectionDispatcher. */

import { encodeJson, invoke, SEPARATOR } from "../runner/hub-messages.js";
import type { Run } from "../runner/run.js";
import type { Script, ScriptRun } from "../runner/script.js";

const HUB = "/hubs/main";
const HANDSHAKE = `{"protocol":"json","version":1}${SEPARATOR}`;
const EVENTS = { accept: "text/event-stream" };

const ws = { as: "ada" } as const;

/** Negotiates and hands over the path with the id in it. */
function negotiated(name: string, play: (run: Run, path: string) => Promise<void>, hub = HUB): ScriptRun {
  return {
    name,
    play: async (run) => {
      const { connectionToken } = await run.negotiate({ hub });
      await play(run, `${hub}?id=${connectionToken}`);
    },
  };
}

/** A long-polling connection through its handshake. */
async function startPolling(run: Run, path: string): Promise<void> {
  await run.ask({ path });
  await run.ask({ method: "POST", path, body: HANDSHAKE });
  await run.ask({ path });
}

/** A round trip, so that what was begun before it has arrived. */
async function settle(run: Run): Promise<void> {
  await run.negotiate();
}

const echo = (value: string): string => encodeJson(invoke("1", "Echo", value)).toString();

export const transports: Script = {
  name: "transports",
  runs: [
    {
      name: "no id",
      play: async (run) => {
        for (const method of ["GET", "POST", "DELETE"]) await run.ask({ method, path: HUB });
        await run.ask({ path: HUB, headers: EVENTS });
        await run.ask({ path: `${HUB}?id=` });
        await run.tryUpgrade(HUB, ws);
        await run.tryUpgrade(`${HUB}?id=`, ws);
      },
    },
    {
      name: "an id that nobody knows",
      play: async (run) => {
        for (const method of ["GET", "POST", "DELETE"]) await run.ask({ method, path: `${HUB}?id=unknown` });
        await run.ask({ path: `${HUB}?id=unknown`, headers: EVENTS });
        await run.tryUpgrade(`${HUB}?id=unknown`, ws);
      },
    },
    {
      name: "the public id is no id",
      play: async (run) => {
        const { connectionId } = await run.negotiate();
        await run.ask({ path: `${HUB}?id=${connectionId}` });
        await run.tryUpgrade(`${HUB}?id=${connectionId}`, ws);
      },
    },
    negotiated("an id of another hub", async (run, path) => {
      await run.ask({ path: path.replace("main", "detailed") });
    }),
    {
      name: "other verbs",
      play: async (run) => {
        for (const method of ["PUT", "PATCH", "HEAD", "OPTIONS"]) await run.ask({ method, path: HUB });
      },
    },
    {
      name: "nobody",
      play: async (run) => {
        for (const method of ["GET", "POST", "DELETE", "PUT"])
          await run.ask({ method, path: `${HUB}?id=unknown`, as: null });
        await run.tryUpgrade(HUB, { as: null });
      },
    },
    negotiated("a connection of somebody else: nobody", async (run, path) => {
      await run.ask({ path, as: null });
      await run.ask({ method: "POST", path, as: null });
      await run.tryUpgrade(path, { as: null });
    }),
    negotiated("a connection of somebody else, not used yet", async (run, path) => {
      await run.ask({ path, as: "bob" });
    }),
    negotiated("a connection of somebody else, in use", async (run, path) => {
      await startPolling(run, path);
      await run.ask({ method: "POST", path, body: echo("bob's"), as: "bob" });
      await run.ask({ path, as: "bob" });
      await run.ask({ method: "DELETE", path, as: "bob" });
      await run.ask({ path });
    }),
    negotiated("a WebSocket to a connection of somebody else", async (run, path) => {
      await run.tryUpgrade(path, { as: "bob" });
    }),
    negotiated("names and values in other letters", async (run, path) => {
      await run.ask({ path: path.replace("?id=", "?ID=").replace("/hubs/main", "/Hubs/MAIN") });
    }),
    negotiated("long polling", async (run, path) => {
      await startPolling(run, path);
      await run.ask({ method: "POST", path, body: echo("one") });
      await run.ask({ path });
      const waiting = await run.begin({ path });
      await settle(run);
      await run.ask({ method: "POST", path, body: echo("while a poll waits") });
      await waiting.reply();
      const pending = await run.begin({ path });
      await settle(run);
      await run.ask({ method: "DELETE", path });
      await pending.reply();
      await run.ask({ path });
      await run.ask({ method: "POST", path, body: echo("too late") });
      await run.ask({ method: "DELETE", path });
    }),
    negotiated("an end without a poll", async (run, path) => {
      await startPolling(run, path);
      await run.ask({ method: "DELETE", path });
      await run.ask({ path });
    }),
    negotiated("an end before any poll", async (run, path) => {
      await run.ask({ method: "DELETE", path });
      await run.ask({ path });
    }),
    negotiated(
      "a poll that nothing comes to",
      async (run, path) => {
        await startPolling(run, path);
        await run.ask({ path });
      },
      "/hubs/impatient",
    ),
    negotiated("messages that gathered come in one poll", async (run, path) => {
      await startPolling(run, path);
      for (const value of ["one", "two", "three"]) await run.ask({ method: "POST", path, body: echo(value) });
      await run.ask({ method: "POST", path, body: encodeJson(invoke("last", "Wait", "gathered")).toString() });
      const bob = await run.connect({ name: "bob", transport: "WebSockets" });
      bob.send(invoke("1", "Open", "gathered"));
      await bob.expect();
      await run.ask({ path });
    }),
    negotiated("a newer poll ends the older one", async (run, path) => {
      await startPolling(run, path);
      const older = await run.begin({ path }, "older");
      await settle(run);
      const newer = await run.begin({ path }, "newer");
      await older.reply();
      await run.ask({ method: "POST", path, body: echo("one") });
      await newer.reply();
    }),
    negotiated("sends before anything else", async (run, path) => {
      await run.ask({ method: "POST", path, body: HANDSHAKE });
      await run.ask({ path });
    }),
    negotiated("empty sends", async (run, path) => {
      await startPolling(run, path);
      await run.ask({ method: "POST", path });
      await run.ask({ method: "POST", path, body: echo("one") });
      await run.ask({ path });
    }),
    negotiated("a handshake that is refused", async (run, path) => {
      await run.ask({ path });
      await run.ask({ method: "POST", path, body: `{"protocol":"xml","version":1}${SEPARATOR}` });
      await run.ask({ path });
      await run.ask({ path });
      await run.ask({ path });
    }),
    negotiated("Close by the server", async (run, path) => {
      await startPolling(run, path);
      await run.ask({ method: "POST", path, body: encodeJson(invoke("1", "Abort")).toString() });
      await run.ask({ path });
      await run.ask({ path });
    }),
    negotiated("server-sent events", async (run, path) => {
      const events = await run.openEvents(path);
      await events.next();
      await run.ask({ method: "POST", path, body: HANDSHAKE });
      await events.next();
      await run.ask({ method: "POST", path, body: echo("one") });
      await events.next();
      await run.ask({ method: "DELETE", path });
      await run.ask({ path, headers: EVENTS });
      await run.ask({ path });
      await run.tryUpgrade(path, ws);
    }),
    negotiated("server-sent events among other types", async (run, path) => {
      const events = await run.openEvents(path, { accept: "text/html, text/event-stream;q=0.9, */*" });
      await events.next();
    }),
    negotiated("any type is no wish for server-sent events", async (run, path) => {
      await run.ask({ path, headers: { accept: "*/*" } });
    }),
    {
      name: "a WebSocket's connection is nobody else's",
      play: async (run) => {
        const ada = await run.connect({ transport: "WebSockets" });
        const path = `${HUB}?id=${ada.token}`;
        await run.ask({ path });
        await run.ask({ path, headers: EVENTS });
        await run.ask({ method: "POST", path, body: echo("posted") });
        await run.ask({ method: "DELETE", path });
        await run.tryUpgrade(path, ws);
        await ada.fence();
        ada.close(1000);
        await ada.expectEnd();
        await run.tryUpgrade(path, ws);
        await run.ask({ method: "POST", path });
      },
    },
    negotiated("a poller's connection is nobody else's", async (run, path) => {
      await startPolling(run, path);
      await run.ask({ path, headers: EVENTS });
      await run.tryUpgrade(path, ws);
    }),
    ...(["/hubs/web-sockets", "/hubs/server-sent-events", "/hubs/long-polling"] as const).map((hub) =>
      negotiated(
        `switched off: ${hub}`,
        async (run, path) => {
          if (hub !== "/hubs/long-polling") await run.ask({ path });
          if (hub !== "/hubs/server-sent-events") await run.ask({ path, headers: EVENTS });
          if (hub !== "/hubs/web-sockets") await run.tryUpgrade(path, ws);
          if (hub !== "/hubs/web-sockets") await run.tryUpgrade(hub, ws);
          await run.ask({ method: "POST", path });
          await run.ask({ method: "DELETE", path });
        },
        hub,
      ),
    ),
    negotiated("version 0: the id is the connection id", async (run) => {
      const { body } = await run.ask({ method: "POST", path: `${HUB}/negotiate` });
      const { connectionId } = JSON.parse(body.toString()) as { readonly connectionId: string };
      await run.ask({ path: `${HUB}?id=${connectionId}` });
    }),
  ],
};
