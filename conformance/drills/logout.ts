/** Drill 3: a person logs out in one tab of a browser while another tab has an open connection. */

import { expect } from "vitest";
import { until } from "../../tests/support/until.js";
import type { Browser } from "../support/sign-in.js";
import type { StockClient } from "../support/stock-clients.js";
import { createWard, TOKEN_EXPIRED, type Visitor, type Ward } from "../support/ward.js";
import { CLOSE_PREFIX } from "../support/world.js";
import { expectOneEffect, monitor } from "./acts.js";
import type { Drill } from "./drill.js";

const REVOKED = "session_revoked;action=relogin";

/** Neither the old token, nor a refresh: whoever logged out is out. */
async function expectOut(ward: Ward, tab: Visitor, browser: Browser): Promise<void> {
  const before = ward.opened();
  // The client has said that it is closed, and is about to be.
  await new Promise((resolve) => setImmediate(resolve));
  await expect(tab.connection.start()).rejects.toThrow(REVOKED);
  expect(tab.connection.state).toBe("Disconnected");
  // The browser was told to forget the cookie, in all of its tabs.
  expect(await browser.refresh()).toBe("401 invalid_token");
  expect(ward.opened()).toBe(before);
}

/** The person signs in again, and the tab is where it was. */
async function comeBack(ward: Ward, tab: Visitor): Promise<void> {
  const { token } = await ward.signIn("ada");
  tab.present = () => token;
  await tab.connection.start();
  expect(await tab.try("Who")).toBe("ada");
  await tab.connection.invoke("Watch", "icu");
}

async function signInTwice(ward: Ward, client: StockClient) {
  const [browser, phone] = [await ward.signIn("ada"), await ward.signIn("ada")];
  const tab = await ward.admit(client, () => browser.token);
  const onPhone = await ward.admit(client, () => phone.token);
  return { browser, tab, onPhone };
}

export const logout: readonly Drill[] = [
  {
    name: "3. logout: another tab is told to sign in again, stopped and kept out; another device goes on; later one effect",
    async run(client, times) {
      const ward = await createWard(times);
      const { browser, tab, onPhone } = await signInTwice(ward, client);
      ward.tell(1);
      expect([await tab.vitals.first(), await onPhone.vitals.first()]).toEqual([1, 1]);
      expect(await tab.try("Order", "first")).toBe("ordered first");
      const slow = tab.try("OrderSlowly", "slow");
      const watched = monitor(tab);
      await ward.made.take(5);
      await until(() => ward.effects.includes("slow"));

      expect(await browser.logOut()).toBe(204);
      // From here on, whatever its peer still reads: nothing more is said to it.
      ward.tell(2);
      const made = ward.made.items.length;
      expect((await tab.closed.first())?.message).toBe(CLOSE_PREFIX + REVOKED);
      expect(await slow).toContain(REVOKED);
      expect(await watched.end).toContain(REVOKED);
      ward.open("slow");
      expect(await onPhone.vitals.take(2)).toEqual([1, 2]);
      expect(tab.vitals.items).toEqual([1]);
      // What it was reading is no longer made, but for the one item that was on its way.
      expect(ward.made.items.length - made).toBeLessThanOrEqual(1);
      await expectOut(ward, tab, browser);

      // Its token brings nothing on the person's other connection either, which loses nothing by it.
      expect(await onPhone.reauthenticate(browser.token)).toBe(REVOKED);
      expect(await onPhone.try("Order", "by phone")).toBe("ordered by phone");
      await comeBack(ward, tab);
      ward.tell(3);
      await tab.vitals.first((reading) => reading === 3);
      expect(tab.vitals.items).toEqual([1, 3]);
      expect(await tab.try("OrderSlowly", "slow")).toBe("ordered slow");
      await expectOneEffect(ward, tab, "first");
      expect(ward.effects).toEqual(["first", "slow", "by phone"]);
      expect([ward.opened(), tab.reconnecting.items, onPhone.closed.items]).toEqual([3, [], []]);
    },
  },
  {
    name: "3. logout: a tab that waits for its next token hears of the logout, and the token it fetched before is not taken",
    async run(client, times) {
      const ward = await createWard(times, {}, { accessTokenSeconds: times.lifetime });
      const browser = await ward.signIn("ada");
      const tab = await ward.admit(client, () => browser.token);
      expect(await tab.try("hubward.notices")).toBeNull();
      expect(await tab.try("Order", "first")).toBe("ordered first");
      await ward.pass(tab, 20);
      await tab.notices.first(({ kind }) => kind === "expired");
      expect(await tab.try("Who")).toBe(TOKEN_EXPIRED);
      ward.tell(1);
      expect(await browser.refresh()).toBe("200");
      const out = browser.logOut();
      // The same turn: the session is not over yet, or is by now. The connection must not come out of it.
      const late = tab.reauthenticate(browser.token);
      expect(await out).toBe(204);
      expect((await tab.closed.first())?.message).toBe(CLOSE_PREFIX + REVOKED);
      await late;
      await expectOut(ward, tab, browser);
      expect(tab.reconnecting.items).toEqual([]);
      await comeBack(ward, tab);
      await expectOneEffect(ward, tab, "first");
    },
  },
  {
    name: "3. logout: a tab that is coming back with a token from before is told to sign in again, and stays away",
    async run(client, times) {
      const ward = await createWard(times, {}, { accessTokenSeconds: times.lifetime });
      const browser = await ward.signIn("ada");
      const tab = await ward.admit(client, () => browser.token);
      expect(await tab.try("Order", "first")).toBe("ordered first");
      const said: (string | number)[] = [];
      // The other tab logs out between this one's refresh and its next connection.
      tab.present = async () => {
        said.push(await browser.refresh(), await browser.logOut());
        return browser.token;
      };
      await ward.pass(tab, 20);
      expect((await tab.reconnecting.first())?.message).toBe(CLOSE_PREFIX + TOKEN_EXPIRED);
      const last = await tab.closed.first();
      expect(last?.message).toContain(REVOKED);
      expect(said).toEqual(["200", 204]);
      await expectOut(ward, tab, browser);
      expect([ward.opened(), tab.reconnected.items]).toEqual([1, []]);
      await comeBack(ward, tab);
      await expectOneEffect(ward, tab, "first");
    },
  },
];
