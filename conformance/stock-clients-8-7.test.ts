/** The scenario list with versions 8 and 7 of the stock client, over every transport in every encoding. */

import { playShare } from "./support/matrix.js";

playShare("8 and 7");
