package proxy

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/nextai-agent/platform/packages/service-kit-go/reply"
	"github.com/nextai-agent/platform/services/api-gateway/internal/auth"
	"github.com/nextai-agent/platform/services/api-gateway/internal/config"
)

type route struct {
	config.Upstream
	forward http.Handler
}

// Routes sends each request to the service that its path belongs to: the longest prefix wins. What belongs to none is answered with 404,
// and a route that is not public needs a signed-in user.
func Routes(upstreams []config.Upstream, transport http.RoundTripper, timeouts Timeouts, log *slog.Logger) http.Handler {
	routes := make([]route, 0, len(upstreams))
	for _, upstream := range upstreams {
		bounded := withTimeout(timeouts.Whole, forward(upstream, transport, log))
		if upstream.Stream {
			bounded = whileItSpeaks(timeouts, log, forward(upstream, transport, log))
		}
		routes = append(routes, route{upstream, withBody(timeouts.Body, bounded)})
	}
	slices.SortFunc(routes, func(a, b route) int { return len(b.Prefix) - len(a.Prefix) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, route := range routes {
			if r.URL.Path == route.Prefix || strings.HasPrefix(r.URL.Path, route.Prefix+"/") {
				route.ServeHTTP(w, r)
				return
			}
		}
		reply.Refuse(w, r, http.StatusNotFound, "There is nothing at this address.")
	})
}

func (route route) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	caller := auth.From(r.Context())
	if !route.Public && caller.Err != nil {
		w.Header().Set("WWW-Authenticate", `Bearer realm="nextai-agent"`)
		code := map[error]string{auth.ErrMissing: "unauthenticated", auth.ErrExpired: "token_expired"}[caller.Err]
		if code == "" {
			code = "invalid_token"
		}
		reply.Error(w, r, http.StatusUnauthorized, code, "Sign in first: "+caller.Err.Error()+".")
		return
	}
	route.forward.ServeHTTP(w, r)
}
