/** What every relay of the tests does with a client: a connection to the server, which lives as long as the client's. */

import { connect, type Socket } from "node:net";

/**
 * @param open both ends, as long as they are open
 * @param endsOther whether the end of one is the end of the other, default always
 * @returns the end at the server; what goes over it is the caller's to carry
 */
export function carryTo(
  port: number,
  client: Socket,
  open: Set<Socket>,
  endsOther: (one: Socket) => boolean = () => true,
): Socket {
  const server = connect(port, "127.0.0.1");
  for (const [one, other] of [
    [client, server],
    [server, client],
  ] as const) {
    open.add(one);
    one.on("error", () => other.destroy());
    one.on("close", () => {
      open.delete(one);
      if (endsOther(one)) other.destroy();
    });
  }
  return server;
}
