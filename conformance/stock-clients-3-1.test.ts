/** The scenario list with versions 3 and 1.1.4 of the stock client, over every transport in every encoding. */

import { playShare } from "./support/matrix.js";

playShare("3 and 1");
