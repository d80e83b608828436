/** What a decoder may spend on one message, whatever its protocol, before anything is allocated for it. */

export interface ReadLimits {
  /** Bytes of one message without its framing. */
  readonly maxBytes: number;
  /** Nesting of arrays and objects, the message itself being 1; from some hundreds on stacks overflow. */
  readonly maxDepth: number;
  /** Values in one message: itself, array elements and members, but not their names. */
  readonly maxNodes: number;
}
