/** Something about the machine or the settings that keeps the demo from starting. The message is one line for people. */
export class StartError extends Error {
  override readonly name = "StartError";
}
