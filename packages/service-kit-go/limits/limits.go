// Package limits has the limits of every stack (packages/contract). Those of waiting decrease inwards.
package limits

import "time"

const (
	Page        = 10 * time.Second       // a page, from its request to the last byte of the answer
	Gateway     = 8 * time.Second        // the gateway, for a service's whole answer
	Request     = 6 * time.Second        // a service, from a request's headers to its answer
	Store       = 4 * time.Second        // a store, with the wait for a connection to it
	Silence     = 2 * time.Second        // a store that does not answer at all
	Optional    = 500 * time.Millisecond // a store that requests get along without: what counts, or remembers
	Readiness   = 2 * time.Second        // a store that readiness asks
	PageIdle    = 60 * time.Second       // between two parts of a stream: then a page gives it up
	GatewayIdle = 45 * time.Second       // the same, for the gateway
	Heartbeat   = 15 * time.Second       // a stream that has nothing to say says so this often
	Drain       = 3 * time.Second        // after SIGTERM: connections that are kept learn from their next answer that they end
	Farewell    = 10 * time.Second       // after that: requests under way

	Body = 64 << 10 // bytes of the largest body of a request to a service
)
