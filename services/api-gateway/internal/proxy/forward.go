// Package proxy sends requests on to the services.
package proxy

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"github.com/nextai-agent/platform/packages/service-kit-go/limits"
	"github.com/nextai-agent/platform/packages/service-kit-go/reply"
	"github.com/nextai-agent/platform/services/api-gateway/internal/auth"
	"github.com/nextai-agent/platform/services/api-gateway/internal/clientip"
	"github.com/nextai-agent/platform/services/api-gateway/internal/config"
)

// BodyLimit is the largest request body, in bytes. The API takes JSON, and its largest field is a memory of 4000 characters;
// the 50 MB that the ingress lets through are for uploads, which have no route here.
const BodyLimit = 1 << 20

// Timeouts bound what a client and a service may take.
type Timeouts struct {
	Body     time.Duration // of a client, until its request's body is here
	Connect  time.Duration // to a service
	Response time.Duration // until its response begins
	Whole    time.Duration // until its response has ended; of a stream, until the client has taken a part of it
	Idle     time.Duration // between two parts of a stream
}

// DefaultTimeouts are what production uses. Limits decrease inwards: what it takes to reach a service leaves that its own time.
var DefaultTimeouts = Timeouts{
	Body: 10 * time.Second, Connect: 1500 * time.Millisecond, Response: limits.Gateway, Whole: limits.Gateway, Idle: limits.GatewayIdle,
}

// NewTransport makes the connection pool to the services.
func NewTransport(timeouts Timeouts) *http.Transport {
	return &http.Transport{
		DialContext:           (&net.Dialer{Timeout: timeouts.Connect, KeepAlive: 15 * time.Second}).DialContext,
		ResponseHeaderTimeout: timeouts.Response,
		MaxIdleConnsPerHost:   64,
		// Shorter than the services keep idle connections open, so that a request does not meet one that is just being closed.
		IdleConnTimeout: 30 * time.Second,
	}
}

// withTimeout bounds what a service takes. It begins when the whole request is here: a slow client is no slow service.
func withTimeout(whole time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), whole)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

func forward(upstream config.Upstream, transport http.RoundTripper, log *slog.Logger) http.Handler {
	var flush time.Duration
	if upstream.Stream {
		flush = -1 // after each write
	}
	return &httputil.ReverseProxy{
		FlushInterval:  flush,
		Transport:      reconnecting{transport},
		Rewrite:        func(request *httputil.ProxyRequest) { rewrite(request, upstream) },
		ModifyResponse: func(response *http.Response) error { tidy(response.Header); return nil },
		ErrorHandler:   failed(upstream.Service, log),
		ErrorLog:       slog.NewLogLogger(log.With("upstream", upstream.Service).Handler(), slog.LevelWarn),
	}
}

// rewrite makes the request that the service sees. Services believe X-User-Id because nobody but the gateway can have set it.
func rewrite(request *httputil.ProxyRequest, upstream config.Upstream) {
	in, out := request.In, request.Out
	out.URL = target(upstream, in.URL)
	out.Host = ""
	for name := range out.Header {
		// Some servers read X_User_Id as X-User-Id.
		if strings.HasPrefix(strings.ReplaceAll(strings.ToLower(name), "_", "-"), "x-user-") {
			delete(out.Header, name)
		}
	}
	// The token and cookies end here: a service that does not get them cannot log or lose them. No route upgrades its connection.
	for _, name := range []string{"Authorization", "Cookie", "Connection", "Upgrade", "Forwarded", "X-Real-Ip"} {
		out.Header.Del(name)
	}
	if caller := auth.From(in.Context()); caller.Err == nil {
		out.Header.Set("X-User-Id", caller.UserID)
	}
	request.SetXForwarded()
	out.Header.Set("X-Forwarded-For", clientip.From(in.Context()).String())
}

// target strips the route's prefix from the path and puts the service's base URL in front. The path is plain (see PlainPaths).
func target(upstream config.Upstream, in *url.URL) *url.URL {
	out := *upstream.Base
	cut := func(p string) string { return strings.TrimPrefix(p, upstream.Strip) }
	out.RawPath = strings.TrimSuffix(upstream.Base.EscapedPath(), "/") + cut(in.EscapedPath())
	out.Path = strings.TrimSuffix(upstream.Base.Path, "/") + cut(in.Path)
	out.RawQuery = in.RawQuery
	return &out
}

// tidy removes what the gateway says itself.
func tidy(header http.Header) {
	for name := range header {
		lower := strings.ToLower(name)
		if strings.HasPrefix(lower, "access-control-") || strings.HasPrefix(lower, "ratelimit-") || lower == "x-request-id" || lower == "server" {
			delete(header, name)
		}
	}
}

func failed(service string, log *slog.Logger) func(http.ResponseWriter, *http.Request, error) {
	return func(w http.ResponseWriter, r *http.Request, err error) {
		var network net.Error
		late := errors.Is(context.Cause(r.Context()), context.DeadlineExceeded)
		switch {
		case r.Context().Err() != nil && !late:
			panic(http.ErrAbortHandler) // the client has gone
		case late, errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
			reply.Error(w, r, http.StatusGatewayTimeout, "upstream_timeout", "A part of the platform took too long to answer. Try again in a moment.")
		default:
			reply.Error(w, r, http.StatusBadGateway, "upstream_unavailable", "A part of the platform cannot be reached. Try again in a moment.")
		}
		log.ErrorContext(r.Context(), "upstream failed", "upstream", service, "error", err.Error())
	}
}
