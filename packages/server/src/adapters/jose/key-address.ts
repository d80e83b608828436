/** Which addresses of a provider may be asked: decided by the application or by a provider it named, never by a token. */

/** `localhost`, 127.0.0.0/8 and ::1 as the URL parser writes them. */
const LOOPBACK_HOST = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/**
 * Checks and parses an address: https, or http to a loopback host where that was allowed explicitly. Other schemes
 * (`file:`, `data:`), credentials in the address and fragments are refused. Messages never quote the address; `what` says in them what is there.
 * @throws TypeError
 */
export function readKeyAddress(address: string | URL, allowLoopbackHttp: boolean, what = "keys"): URL {
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    throw new TypeError(`the address of the ${what} is no absolute URL`);
  }
  const isLoopbackHttp = url.protocol === "http:" && LOOPBACK_HOST.test(url.hostname);
  if (url.protocol !== "https:" && !(isLoopbackHttp && allowLoopbackHttp)) {
    throw new TypeError(`the address of the ${what} must be https (allowLoopbackHttp is for tests on this machine)`);
  }
  if (url.username !== "" || url.password !== "") throw new TypeError(`the address of the ${what} holds credentials`);
  if (url.hash !== "") throw new TypeError(`the address of the ${what} has a fragment`);
  return url;
}

/**
 * Where an issuer publishes its metadata (OpenID Connect Discovery 1.0, 4): the issuer without its closing slash,
 * then the well-known path. An issuer has neither query nor fragment (section 2).
 * @throws TypeError
 */
export function metadataAddress(issuer: string, allowLoopbackHttp: boolean): URL {
  if (typeof issuer !== "string") throw new TypeError("the issuer is no text");
  if (issuer.includes("?") || issuer.includes("#")) throw new TypeError("the issuer has a query or a fragment");
  return readKeyAddress(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`, allowLoopbackHttp);
}
