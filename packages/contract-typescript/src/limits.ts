/** The limits of every stack (packages/contract): milliseconds, and bytes where the name says so. Those of waiting decrease inwards. */
export const limits = {
  /** A page, from its request to the last byte of the answer. */
  pageMs: 10_000,
  /** The gateway, for a service's whole answer. */
  gatewayMs: 8_000,
  /** A service, from a request's headers to its answer. */
  requestMs: 6_000,
  /** A store, with the wait for a connection to it. */
  storeMs: 4_000,
  /** A store that does not answer at all. */
  silenceMs: 2_000,
  /** A store that requests get along without: what counts, or remembers. */
  optionalMs: 500,
  /** A store that readiness asks. */
  readinessMs: 2_000,
  /** The largest body of a request to a service. */
  bodyBytes: 65_536,
  /** Between two parts of a stream: then a page gives it up. */
  pageIdleMs: 60_000,
  /** The same, for the gateway. */
  gatewayIdleMs: 45_000,
  /** A stream that has nothing to say says so this often. */
  heartbeatMs: 15_000,
  /** After SIGTERM: connections that are kept learn from their next answer that they end. */
  drainMs: 3_000,
  /** After that: requests under way. */
  farewellMs: 10_000,
} as const;
