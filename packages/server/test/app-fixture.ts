/** A whole application under test, without a network: its endpoint is asked directly, its sockets are in memory. */

import {
  createFakeClock,
  createSeededRandom,
  MemorySocket,
  recordingTelemetry,
  testAuthentication,
  type FakeClock,
  type RecordingTelemetry,
  type TestAuthenticationOptions,
} from "@hubward/testing";
import { encodeHandshakeRequest, HubwardError, jsonCodec, messageType, type HubMessage } from "@hubward/wire";
import { hubward, type App, type Authentication, type HubwardOptions, type Principal } from "../src/app/index.js";
import type { HttpReply } from "../src/core/http.js";
import { bytes, text } from "./connection-fixture.js";
import { bodyOfText, plainReply, requestOf, type TestRequest } from "./http-fixture.js";

export type Attributes = { readonly department: string | null };
export type Staff = Principal<Attributes>;

/** What stock clients of today say about themselves. */
export const stockClient = { "user-agent": "Microsoft SignalR/10.0 (10.0.11; Linux; NodeJS; 20.20.2)" } as const;

export interface NegotiateBody {
  readonly connectionId: string;
  readonly connectionToken: string;
  readonly accessToken?: string;
  readonly error?: string;
}

export interface AppPeer {
  readonly socket: MemorySocket;
  send(message: HubMessage): void;
  /** Calls a method and gives its answer, or undefined when none has come by the end of the turn. */
  call(target: string, ...args: readonly unknown[]): Promise<HubMessage | undefined>;
  /** Messages said to it since it was last asked. */
  hear(): HubMessage[];
}

export interface AppFixture extends RecordingTelemetry {
  readonly app: App<Staff>;
  readonly clock: FakeClock;
  /** Adds a person's token; roles and department go to the directory. Returns the token. */
  tokenOf(person: Person): string;
  negotiate(token: string | undefined, request?: TestRequest): Promise<HttpReply>;
  upgrade(request: TestRequest, socket?: MemorySocket): Promise<HttpReply | MemorySocket>;
  /** Negotiates, attaches and shakes hands. */
  connect(token: string, path?: string): Promise<AppPeer>;
  peerOn(socket: MemorySocket): AppPeer;
}

export interface Person extends TestAuthenticationOptions {
  readonly roles?: readonly string[];
  readonly department?: string;
  /** Milliseconds the token has; default an hour. */
  readonly livesMs?: number;
}

export function createApp(options: Partial<HubwardOptions<Attributes>> = {}): AppFixture {
  const clock = createFakeClock();
  const recording = recordingTelemetry();
  const tokens = new Map<string, Authentication>();
  const directory = new Map<string, Attributes & { readonly roles: readonly string[] }>();

  const app = hubward<Attributes>({
    authenticator: {
      issuer: "https://issuer.example",
      authenticate({ token }) {
        const authentication = tokens.get(token.reveal());
        if (authentication === undefined) throw new HubwardError("invalid_token");
        if (authentication.expiresAt <= clock.now()) throw new HubwardError("token_expired");
        return authentication;
      },
    },
    principal: ({ subject }) => directory.get(subject) ?? null,
    telemetry: recording.telemetry,
    clock,
    random: createSeededRandom(1),
    ...options,
  });

  function tokenOf({ roles = ["nurse"], department, livesMs = 3_600_000, ...person }: Person): string {
    const token = `eyJ-${tokens.size}-of-${person.subject ?? "nurse-7"}`;
    const issuedAt = person.issuedAt ?? clock.now();
    const authentication = testAuthentication({ ...person, issuedAt, expiresAt: clock.now() + livesMs });
    tokens.set(token, authentication);
    directory.set(authentication.subject, { roles, department: department ?? null });
    return token;
  }

  const negotiate: AppFixture["negotiate"] = async (token, request = {}) =>
    plainReply(
      await app.endpoint.request(
        requestOf({
          query: "negotiateVersion=1",
          headers: stockClient,
          ...(token === undefined ? {} : { bearers: [token] }),
          ...request,
        }),
        bodyOfText(),
      ),
    );

  const upgrade: AppFixture["upgrade"] = async (request, socket = new MemorySocket()) => {
    const answer = await app.endpoint.upgrade(requestOf({ method: "GET", path: "/hubs/ward", ...request }));
    if (!answer.accepted) return answer.reply;
    return socket.listen(answer.open(socket));
  };

  async function settle(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    while (clock.pendingTurn > 0) clock.endTurn();
  }

  function peerOn(socket: MemorySocket): AppPeer {
    let heardBytes = 0;
    let calls = 0;
    const hear = (): HubMessage[] => {
      while (clock.pendingTurn > 0) clock.endTurn();
      const said = text(socket.written.subarray(heardBytes));
      heardBytes = socket.written.length;
      return [...said.matchAll(/\{"type":.*?(?=\x1e)/gs)].map(([body]) => jsonCodec.decode(bytes(body)) as HubMessage);
    };
    const send = (message: HubMessage): void => socket.peerSends(jsonCodec.encode(message));
    return {
      socket,
      send,
      hear,
      async call(target, ...args) {
        const invocationId = String(++calls);
        send({ type: messageType.invocation, invocationId, target, arguments: args });
        await settle();
        return hear().find(
          (message) => message.type === messageType.completion && message.invocationId === invocationId,
        );
      },
    };
  }

  async function connect(token: string, path = "/hubs/ward"): Promise<AppPeer> {
    const reply = await negotiate(token, { path: `${path}/negotiate` });
    const { connectionToken, accessToken } = JSON.parse(reply.body) as NegotiateBody;
    const socket = await upgrade({ path, query: `id=${connectionToken}`, queryBearers: [accessToken ?? ""] });
    if (!(socket instanceof MemorySocket)) throw new TypeError(`refused: ${socket.status} ${socket.body}`);
    socket.peerSends(encodeHandshakeRequest({ protocol: "json", version: 1 }));
    const peer = peerOn(socket);
    peer.hear();
    return peer;
  }

  return { ...recording, app, clock, tokenOf, negotiate, upgrade, connect, peerOn };
}
