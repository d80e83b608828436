/** The POST that comes before a hub's WebSocket, on kept-alive HTTP connections. */

import http from "node:http";

/** @param {number} connections how many are kept open */
export function createAgent(connections) {
  return new http.Agent({ keepAlive: true, maxSockets: connections, maxFreeSockets: connections });
}

/**
 * Negotiates a connection as a stock client does.
 *
 * @param {{ port: number, token: string, agent: http.Agent, path?: string }} options `path`: the hub's, default `/hub`
 * @returns {Promise<{ connectionToken: string, accessToken?: string }>} rejects unless the answer is a 200 with a
 *   connection token
 */
export function negotiate({ port, token, agent, path = "/hub" }) {
  return new Promise((resolve, reject) => {
    const request = http.request({
      agent,
      port,
      host: "127.0.0.1",
      method: "POST",
      path: `${path}/negotiate?negotiateVersion=1`,
      headers: {
        authorization: `Bearer ${token}`,
        "user-agent": "Microsoft SignalR/10.0 (bench)",
        "content-type": "text/plain;charset=UTF-8",
        "content-length": "0",
      },
    });
    request.on("error", reject);
    request.on("response", (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (part) => {
        body += part;
      });
      response.on("error", reject);
      response.on("end", () => {
        try {
          if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}`);
          const reply = JSON.parse(body);
          if (!reply.connectionToken) throw new Error(reply.error ?? "no connection token");
          resolve(reply);
        } catch (error) {
          reject(new Error(`negotiate: ${error.message}`, { cause: error }));
        }
      });
    });
    request.end();
  });
}
