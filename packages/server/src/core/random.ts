/** Randomness as the core sees it: a port. */

export interface Random {
  /** That many cryptographically secure bytes, as base64url without padding (RFC 4648 5). */
  secret(bytes: number): string;
  /** A fraction in [0, 1), good enough for spreading and jitter, never for secrets. */
  fraction(): number;
}
