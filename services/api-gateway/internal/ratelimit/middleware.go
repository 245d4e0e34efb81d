package ratelimit

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/nextai-agent/platform/packages/service-kit-go/limits"
	"github.com/nextai-agent/platform/packages/service-kit-go/reply"
	"github.com/nextai-agent/platform/services/api-gateway/internal/auth"
	"github.com/nextai-agent/platform/services/api-gateway/internal/clientip"
)

const (
	// A decision takes well under a millisecond; a Redis that needs longer than this is as good as down.
	timeout = limits.Optional
	// After so many failures one after the other, Redis is left alone for a pause: not every request has to wait for `timeout`.
	tripAfter = 5
	pause     = time.Second
	// How often the log says that requests are let in unlimited.
	reminder = 30 * time.Second
)

// Middleware refuses, with 429, what is over the client's limit.
//
// When Redis does not answer, requests are let in unlimited. The limit protects the platform from being used too much; refusing
// everybody because the counter is away would be the very outage that it is there to prevent. Who may see what does not depend on it.
func (l *Limiter) Middleware(log *slog.Logger) func(http.Handler) http.Handler {
	var state breaker
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			decision, known := l.decide(r, &state, log)
			if known {
				announce(w.Header(), decision)
			}
			if known && !decision.Allowed {
				w.Header().Set("Retry-After", seconds(decision.RetryAfter))
				reply.Error(w, r, http.StatusTooManyRequests, "rate_limited", "Too many requests: wait a moment and try again.")
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// decide asks Redis, and returns false when it has no answer.
func (l *Limiter) decide(r *http.Request, state *breaker, log *slog.Logger) (Decision, bool) {
	if state.open(time.Now()) {
		return Decision{}, false
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	decision, err := l.Take(ctx, client(r))
	switch {
	case err == nil:
		state.succeeded()
	case r.Context().Err() != nil: // the client went away: that says nothing about Redis
	case state.failed(time.Now()):
		log.ErrorContext(r.Context(), "rate limit is off: Redis does not answer", "error", err.Error())
	}
	return decision, err == nil
}

// client names whose requests are counted together: the signed-in user, else the address.
func client(r *http.Request) string {
	if caller := auth.From(r.Context()); caller.Err == nil {
		return "user:" + caller.UserID
	}
	address := clientip.From(r.Context())
	if address.Is6() {
		// One customer of a network provider has a whole /64 and could be 2^64 clients otherwise.
		network, _ := address.Prefix(64)
		return "ip:" + network.String()
	}
	if address == (netip.Addr{}) {
		return "ip:unknown"
	}
	return "ip:" + address.String()
}

func announce(header http.Header, decision Decision) {
	header.Set("RateLimit-Limit", strconv.Itoa(decision.Limit))
	header.Set("RateLimit-Remaining", strconv.Itoa(decision.Remaining))
	header.Set("RateLimit-Reset", seconds(decision.Reset))
}

// seconds are whole and rounded up: who waits that long is let in.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}
