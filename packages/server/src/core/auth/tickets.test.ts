import { createFakeClock, createSeededRandom } from "@hubward/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { systemDigest } from "../../platform/system-crypto.js";
import { Secret } from "./secret.js";
import { createTickets, isTicket, type TicketOptions, type Tickets } from "./tickets.js";

const HUB = "/hubs/ward";

function createFixture(options: TicketOptions = {}) {
  const clock = createFakeClock();
  const digested: string[] = [];
  const digest = (text: string): string => (digested.push(text), systemDigest(text));
  const tickets: Tickets<string> = createTickets({ clock, random: createSeededRandom(1), digest }, options);
  function issue(hub = HUB, holder = "ann") {
    const issued = tickets.issue(hub, holder);
    if (issued === undefined) throw new RangeError("no room");
    return issued;
  }
  return { clock, tickets, issue, digested };
}

describe("a ticket", () => {
  it("is 256 random bits behind a prefix, never alike, and told from a JWT", () => {
    const { issue } = createFixture({ maxUnboundPerOwner: 200 });
    const texts = Array.from({ length: 200 }, () => issue().secret.reveal());
    expect(new Set(texts).size).toBe(200);
    for (const text of texts) expect(text).toMatch(/^hwt_[A-Za-z0-9_-]{43}$/);
    expect([isTicket(new Secret(texts[0] ?? "")), isTicket(new Secret("eyJhbGciOiJub25lIn0.e30."))]).toEqual([
      true,
      false,
    ]);
  });

  it("is kept by its hash only", () => {
    const { issue, tickets } = createFixture();
    const { ticket, secret } = issue();
    const kept = JSON.stringify([ticket, Object.entries(ticket), Object.entries(tickets)]);
    expect(kept).not.toContain(secret.reveal());
    expect(kept).not.toContain(secret.reveal().slice(4));
    expect(kept).toContain(systemDigest(secret.reveal()));
  });

  it("is found by its secret, for its hub, by nobody else", () => {
    const { issue, tickets } = createFixture();
    const { ticket, secret } = issue();
    issue(HUB, "bob");
    expect(tickets.find(secret, HUB)).toBe(ticket);
    expect(ticket).toMatchObject({ hub: HUB, holder: "ann", isBound: false });
    expect(tickets.find(secret, "/hubs/other")).toBeUndefined();
    expect(tickets.find(new Secret(`${secret.reveal().slice(0, -1)}~`), HUB)).toBeUndefined();
    expect(tickets.find(new Secret(secret.reveal().toLowerCase()), HUB)).toBeUndefined();
  });

  it("does not hash what cannot be one, however long", () => {
    const { digested, tickets } = createFixture();
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => `hwt_${text}`),
          fc.constant(`hwt_${"a".repeat(100_000)}`),
        ),
        (text) => {
          fc.pre(!/^hwt_[\w-]{43}$/.test(text));
          expect(tickets.find(new Secret(text), HUB)).toBeUndefined();
        },
      ),
    );
    expect(digested).toEqual([]);
  });

  it("has 30 s to attach", () => {
    const { clock, issue, tickets } = createFixture();
    const { ticket, secret } = issue();
    tickets.own(ticket, "a");
    clock.advance(29_999);
    expect(tickets.find(secret, HUB)).toBe(ticket);
    expect(tickets.own(ticket, "b")).toBe(true);
    clock.advance(1);
    expect([tickets.find(secret, HUB), tickets.own(ticket, "c")]).toEqual([undefined, false]);
  });

  it("is not kept alive or killed by a stepped wall clock", () => {
    const { clock, issue, tickets } = createFixture();
    const { ticket, secret } = issue();
    clock.stepWallClock(1e9);
    expect(tickets.find(secret, HUB)).toBe(ticket);
    clock.stepWallClock(-2e9);
    clock.advance(30_000);
    expect(tickets.find(secret, HUB)).toBeUndefined();
  });

  it("binds an attempt that began in time though its handshake ends later, whoever else was issued one meanwhile", () => {
    const { clock, issue, tickets } = createFixture();
    const { ticket, secret } = issue();
    tickets.own(ticket, "a");
    clock.advance(40_000);
    issue(HUB, "bob");
    expect(tickets.bind(ticket, "a")).toEqual([]);
    expect(tickets.find(secret, HUB)).toBe(ticket);
  });

  it("has three attempts", () => {
    const { issue, tickets } = createFixture();
    const { ticket } = issue();
    expect(["a", "b", "c", "d", "e"].map((token) => tickets.own(ticket, token))).toEqual([
      true,
      true,
      true,
      false,
      false,
    ]);
    expect([...ticket.connectionTokens]).toEqual(["a", "b", "c"]);
  });

  it("binds once, to one attempt; its siblings die and nothing is added", () => {
    const { clock, issue, tickets } = createFixture();
    const { ticket, secret } = issue();
    for (const token of ["a", "b", "c"]) tickets.own(ticket, token);
    expect(tickets.bind(ticket, "foreign")).toBeUndefined();
    expect(tickets.bind(ticket, "b")).toEqual(["a", "c"]);
    expect(ticket).toMatchObject({ isBound: true, connectionTokens: new Set(["b"]) });
    for (const token of ["a", "b", "c"]) expect(tickets.bind(ticket, token)).toBeUndefined();
    expect(tickets.own(ticket, "d")).toBe(false);
    // It names its connection for as long as that lives.
    clock.advance(86_400_000);
    expect(tickets.find(secret, HUB)).toBe(ticket);
    tickets.end(ticket);
    expect([tickets.find(secret, HUB), tickets.size]).toEqual([undefined, 0]);
  });

  it("that has ended is dead in every way", () => {
    const { issue, tickets } = createFixture();
    const { ticket, secret } = issue();
    tickets.own(ticket, "a");
    tickets.end(ticket);
    expect([tickets.find(secret, HUB), tickets.own(ticket, "b"), tickets.bind(ticket, "a")]).toEqual([
      undefined,
      false,
      undefined,
    ]);
  });

  it("is not issued beyond the bound; those that ran out make room, bound ones do not count", () => {
    const { clock, issue, tickets } = createFixture({ maxUnbound: 3, attachMs: 1_000 });
    const [first] = [issue(), issue(), issue()];
    expect(tickets.issue(HUB, "ann")).toBeUndefined();
    tickets.own(first.ticket, "a");
    tickets.bind(first.ticket, "a");
    issue();
    expect(tickets.issue(HUB, "ann")).toBeUndefined();
    clock.advance(3_600_000);
    issue();
    expect(tickets.size).toBe(2);
  });
});
