/** The scenario list with versions 6 and 5 of the stock client, over every transport in every encoding. */

import { playShare } from "./support/matrix.js";

playShare("6 and 5");
