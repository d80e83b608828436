/** Where Hubward means to differ from ASP.NET Core, and why. A difference that no longer occurs fails, too. */

import type { Difference } from "../compare.js";
import { calls } from "./calls.js";
import { closing } from "./closing.js";
import { handshake } from "./handshake.js";
import { requests } from "./requests.js";

export const differences: readonly Difference[] = [...requests, ...handshake, ...calls, ...closing];
