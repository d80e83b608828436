/**
 * Loaded before a program of the docs, so that it runs as it is printed on a machine where port 3000 may be taken:
 * whatever listens gets a free loopback port and tells it to the parent, and whoever connects to port 3000 reaches
 * the port in `DOCS_PORT`.
 */

import net from "node:net";

const { listen } = net.Server.prototype;
net.Server.prototype.listen = function (...args) {
  const callback = args.findLast((value) => typeof value === "function");
  this.once("listening", () => process.send?.({ port: this.address().port }));
  return Reflect.apply(listen, this, [0, "127.0.0.1", ...(callback === undefined ? [] : [callback])]);
};

const { connect } = net.Socket.prototype;
net.Socket.prototype.connect = function (...args) {
  const options = Array.isArray(args[0]) ? args[0][0] : args[0];
  if (Number(options?.port) === 3000 && process.env.DOCS_PORT !== undefined) {
    options.port = Number(process.env.DOCS_PORT);
    options.host = "127.0.0.1";
  }
  return Reflect.apply(connect, this, args);
};
