/** Orders of the watched wards as they arrive, newest first. */
import type { JSX } from "preact";
import { usePage } from "./context.js";

export function OrdersFeed(): JSX.Element {
  const { clinic } = usePage();
  const orders = clinic.orders.announced.value;
  return (
    <section class="panel" aria-labelledby="orders-title">
      <div class="panel-head">
        <h2 id="orders-title">Orders</h2>
        <span class="count">{orders.length}</span>
      </div>
      {orders.length === 0 ? <p class="muted">None yet. Orders of your wards appear here as they are made.</p> : null}
      <p>
        <a href="/notes" target="_blank" rel="noreferrer" data-testid="open-notes">
          Ward notes
        </a>
      </p>
      <ul class="orders" data-testid="order-list">
        {orders.map((order) => (
          <li key={order.orderId} data-testid="order-item" data-order-id={order.orderId}>
            <b>{order.drugName}</b>
            <span class="order-for">
              for {clinic.patients.find(order.patientId)?.name ?? order.patientId}
              <span class="muted"> by {order.orderedBy}</span>
            </span>
            {Number.isNaN(order.at) ? null : (
              <time dateTime={new Date(order.at).toISOString()}>{formatTime(new Date(order.at))}</time>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Hours and minutes, as the person's own settings write them. */
function formatTime(at: Date): string {
  return at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}
