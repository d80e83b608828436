/** No server at all: a process that verifies tokens with jose, as `peers/ws-jose-server.mjs` does, and nothing else. */

import { servePeer } from "../lib/peer-process.mjs";
import { createTokenVerifier } from "../lib/verify-token.mjs";

await servePeer(async (config) => {
  const verify = createTokenVerifier(config);
  let tokens = [];
  return {
    port: 1, // nobody connects
    publish() {
      throw new Error("this peer is for life.mjs");
    },
    actions: {
      load: (request) => {
        tokens = request.tokens;
      },
      /** All that were loaded, so many at a time. */
      verify: async ({ concurrency }) => {
        let next = 0;
        const work = async () => {
          while (next < tokens.length) await verify(tokens[next++]);
        };
        await Promise.all(Array.from({ length: concurrency }, work));
      },
    },
  };
});
