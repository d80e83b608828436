/** A user's database, with nothing installed beside Hubward: the engine it runs on, or what it says is missing. */

import { openDatabase } from "@hubward/sqlite";

const database = await openDatabase({ path: `${process.version}.db` }).catch((error) => error);
console.log(JSON.stringify({ engine: database.engine, message: database.message }));
if (database.close !== undefined) database.close();
