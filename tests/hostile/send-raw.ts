/** HTTP by hand. */

import { dial } from "../support/raw-web-socket.js";

/** Sends bytes as they are and collects everything until the server ends the connection. */
export async function sendRaw(port: number, text: string): Promise<string> {
  const socket = await dial(port);
  return new Promise((resolve) => {
    let received = "";
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => (received += chunk));
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(received));
    socket.write(text, "latin1");
  });
}

/** The status of each answer. */
export const statusesOf = (text: string): readonly string[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => match[1] as string);
