/**
 * What a page's programs find around them without showing it: the least that a reader supplies in his mind. A page
 * that is not named here stands for itself.
 */

export interface Setting {
  /** Stands in front of the page's program in TypeScript. */
  readonly ts?: string;
  /** Stands in front of the page's program in JavaScript. */
  readonly js?: string;
  /** Each block is a program of its own, with the setting in front of it. Default: one program a page. */
  readonly eachAlone?: true;
}

export const settings: Readonly<Record<string, Setting>> = {
  "README.md": {
    // The clinic's own things, and a provider whose token the test can use.
    ts: `
import { exportJWK, generateKeyPair, SignJWT } from "jose";
const { privateKey, publicKey } = await generateKeyPair("ES256");
const publicKeys = { keys: [{ ...(await exportJWK(publicKey)), kty: "EC" }] };
const staffFile = new Map([["ada", { roles: ["doctor"], department: "icu" }]]);
const directory = { find: (_tenant: string | undefined, subject: string) => staffFile.get(subject) ?? null };
let placed = 0;
const orders = { place: (_patient: string, _drug: string, _by: object) => ({ orderId: ++placed }) };
const token = new SignJWT().setProtectedHeader({ alg: "ES256", typ: "at+jwt" }).setSubject("ada").setIssuedAt();
token.setIssuer("https://id.example.org").setAudience("clinic").setExpirationTime("5m");
console.log(\`token: \${await token.sign(privateKey)}\`);
`,
    js: 'import * as signalR from "@microsoft/signalr";\nconst accessToken = "";\n',
  },
  "packages/sessions/README.md": {
    // The types want a fetch-shaped copy of Node's headers, the program does not: its own test runs it as it stands.
    js: "// @ts-nocheck",
  },
  "docs/nginx/README.md": {
    ts: `
import { createServer } from "node:http";
import { forwardedIdentity, forwardedToken, hubward } from "@hubward/server";
import { jwt, localJwks } from "@hubward/server/jose";
import { attach } from "@hubward/server/node";
declare const issuer: string, audience: string, keys: ReturnType<typeof localJwks>;
const app = hubward({ authenticator: jwt({ issuer, audience, keys }), principal: () => null });
const server = createServer();
`,
    eachAlone: true,
  },
};
