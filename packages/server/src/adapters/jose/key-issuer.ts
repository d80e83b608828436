/**
 * Keys that say whose they are. Microsoft Entra publishes keys of several issuers in one set, each with a member
 * `issuer`, and means it: a key of personal accounts must not sign for an organisation.
 */

const ANY_TENANT = "{tenantid}";

/**
 * The keys of a set that may sign for `issuer`: those that name no issuer, name this one, or name it by a template in
 * which `{tenantid}` stands for one segment of the path.
 */
export function keysOfIssuer(keys: readonly unknown[], issuer: string): readonly unknown[] {
  return keys.filter((key) => {
    if (typeof key !== "object" || key === null || !("issuer" in key)) return true;
    return typeof key.issuer === "string" && names(key.issuer, issuer);
  });
}

function names(keyIssuer: string, issuer: string): boolean {
  const at = keyIssuer.indexOf(ANY_TENANT);
  if (at < 0) return keyIssuer === issuer;
  const [head, tail] = [keyIssuer.slice(0, at), keyIssuer.slice(at + ANY_TENANT.length)];
  const segment = issuer.slice(head.length, issuer.length - tail.length);
  return issuer === head + segment + tail && segment !== "" && !segment.includes("/");
}
