/** All shapes of the pages. */

export type * from "./account";
export type * from "./connection";
export type * from "./input";
export type * from "./ladder";
export type * from "./operation";
export type * from "./picture";
export type * from "./session";
