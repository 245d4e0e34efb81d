// Package service runs a service from its contract: variables, log, health answers, requests, and an end that loses none of them.
package service

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/nextai-agent/platform/packages/service-kit-go/contract"
	"github.com/nextai-agent/platform/packages/service-kit-go/health"
	"github.com/nextai-agent/platform/packages/service-kit-go/limits"
	"github.com/nextai-agent/platform/packages/service-kit-go/logging"
	"github.com/nextai-agent/platform/packages/service-kit-go/reply"
	"github.com/nextai-agent/platform/packages/service-kit-go/requestid"
)

var ownLimits = Limits{Request: 10 * time.Second, Answer: 10*time.Second + limits.Request}

// Parts are what a service has of its own.
type Parts struct {
	// Routes are handlers by http.ServeMux's patterns: the paths as the gateway passes them on, without /api.
	Routes map[string]http.HandlerFunc
	// Streams are the same, of answers that go on for as long as the handler makes them, without a limit of the whole. The gateway passes
	// them on where the route says `stream: true`. It waits limits.Gateway for the first part, and limits.GatewayIdle between two.
	Streams map[string]http.HandlerFunc
	// Needed and Shown are the stores that readiness asks; only those that are needed decide.
	Needed, Shown map[string]health.Check
	// Close gives the stores' connections back, after the last request; nil where there are none.
	Close func()
}

// Build makes the parts from the checked variables. It waits for no store: one that is down is told by readiness.
type Build func(contract.Values, *slog.Logger) (Parts, error)

// Main is a service's main function. `server -healthcheck [path]` asks a running one instead, for images without a shell.
// Exit codes: 1 is a failure, 2 a wrong environment.
func Main(document []byte, build Build) {
	probe := flag.Bool("healthcheck", false, "ask the server that runs here for `[path]` (default /health) and exit 0 if it answers 200")
	flag.Parse()
	if err := run(document, build, *probe); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(ExitCode(err))
	}
}

// ExitCode is 2 for a wrong environment, and else 1.
func ExitCode(err error) int {
	var invalid contract.Invalid
	if errors.As(err, &invalid) {
		return 2
	}
	return 1
}

// Version is the image's version, or dev.
func Version() string {
	if version := os.Getenv("APP_VERSION"); version != "" {
		return version
	}
	return "dev"
}

func run(document []byte, build Build, probe bool) error {
	known, err := contract.Parse(document)
	if err != nil {
		return err
	}
	if probe {
		return health.Probe(known.PortFrom(os.Getenv), flag.Arg(0))
	}
	values, err := known.Load(os.Getenv)
	if err != nil {
		return err
	}
	// Signals are taken first: one that comes during start-up must also end in a clean exit.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	log := logging.New(os.Stdout, values.Level(), values["LOG_FORMAT"], known.Service)
	parts, err := build(values, log)
	if err != nil {
		return fmt.Errorf("%s: cannot start: %w", known.Service, err)
	}
	if parts.Close != nil {
		defer parts.Close()
	}
	listener, err := net.Listen("tcp", values.Address())
	if err != nil {
		return fmt.Errorf("%s: cannot start: %w", known.Service, err)
	}
	server := NewServer(log, ownLimits)
	return server.Serve(ctx, listener, server.handler(known.Service, Version(), parts))
}

// Handler is what a service answers, for tests without a process.
func Handler(service string, parts Parts, log *slog.Logger) http.Handler {
	return NewServer(log, ownLimits).handler(service, Version(), parts)
}

// handler reads from the bottom: a request goes through the last line first.
func (s *Server) handler(service, version string, parts Parts) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /health", health.Live(service, version))
	mux.Handle("GET /health/ready", health.Ready(parts.Needed, parts.Shown, s.log))
	for pattern, handle := range parts.Routes {
		mux.Handle(pattern, limited(handle))
	}
	for pattern, handle := range parts.Streams {
		mux.Handle(pattern, unending(handle))
	}
	return requestid.Middleware(s.Observe(nil, refusing(mux)))
}

// limited ends the context of a request that takes too long: clients of stores, and of other services, give up with it.
func limited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), limits.Request)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// unending takes away the connection's limit of an answer; a client that has left still ends the request's context.
func unending(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // a writer without deadlines is a test's
		next.ServeHTTP(w, r)
	})
}

// refusing answers with the platform's error body where http.ServeMux would with a line of text: no such path, or method.
func refusing(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		own, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		verdict := refusal{header: w.Header(), status: http.StatusNotFound}
		own.ServeHTTP(&verdict, r) // writes the header Allow
		w.Header().Del("X-Content-Type-Options")
		message := "There is nothing at this address."
		if verdict.status == http.StatusMethodNotAllowed {
			message = "This address does not take that method."
		}
		reply.Refuse(w, r, verdict.status, message)
	})
}

// refusal takes the status of an answer, and drops its body.
type refusal struct {
	header http.Header
	status int
}

func (r *refusal) Header() http.Header                { return r.header }
func (r *refusal) WriteHeader(status int)             { r.status = status }
func (r *refusal) Write(body []byte) (n int, e error) { return len(body), nil }
