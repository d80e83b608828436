/** The scenario list with versions 10 and 9 of the stock client, over every transport in every encoding. */

import { playShare } from "./support/matrix.js";

playShare("10 and 9");
