// @ts-check
/** The stock SignalR client against whichever example runs: `node examples/client.mjs nina`. */

import { HubConnectionBuilder, LogLevel } from "@microsoft/signalr";

const name = process.argv[2] ?? "nina";
const url = process.env["URL"] ?? "http://127.0.0.1:3000";

const signedIn = await fetch(`${url}/sign-in`, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ name, password: "demo" }),
});
if (!signedIn.ok) throw new Error(`sign-in: ${signedIn.status} ${await signedIn.text()}`);
const { access_token: token } = /** @type {{ access_token: string }} */ (await signedIn.json());

const headers = { authorization: `Bearer ${token}` };
for (const path of ["/me", "/wards/icu/patients", "/wards/er/patients"]) {
  const response = await fetch(url + path, { headers });
  console.log(`GET ${path}: ${response.status} ${await response.text()}`);
}

const connection = new HubConnectionBuilder()
  .configureLogging(LogLevel.None)
  .withUrl(`${url}/hubs/ward`, { accessTokenFactory: () => token })
  .build();
connection.onclose((error) => console.log(`closed: ${error?.message ?? "by us"}`));
connection.on("discharged", (patient) => console.log(`discharged: ${patient}`));
try {
  await connection.start();
  console.log(`Patients("icu"): ${await outcomeOf(connection.invoke("Patients", "icu"))}`);
  console.log(`Patients("er"): ${await outcomeOf(connection.invoke("Patients", "er"))}`);
  console.log(`Discharge("p2"): ${await outcomeOf(connection.invoke("Discharge", "p2"))}`);
  await connection.stop();
} catch (error) {
  console.log(`not connected: ${/** @type {Error} */ (error).message}`);
}

/** @param {Promise<unknown>} call */
function outcomeOf(call) {
  return call.then(JSON.stringify, (error) => error.message);
}
