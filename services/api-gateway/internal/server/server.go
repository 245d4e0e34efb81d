// Package server puts the gateway together and runs it.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/nextai-agent/platform/services/api-gateway/internal/auth"
	"github.com/nextai-agent/platform/services/api-gateway/internal/clientip"
	"github.com/nextai-agent/platform/services/api-gateway/internal/config"
	"github.com/nextai-agent/platform/services/api-gateway/internal/cors"
	"github.com/nextai-agent/platform/services/api-gateway/internal/health"
	"github.com/nextai-agent/platform/services/api-gateway/internal/proxy"
	"github.com/nextai-agent/platform/services/api-gateway/internal/ratelimit"
	"github.com/nextai-agent/platform/services/api-gateway/internal/requestid"
)

const (
	headerPatience = 5 * time.Second   // for a client's request line and headers
	requestLimit   = 25 * time.Second  // for a client's whole request, the last resort: proxy.Timeouts.Body is shorter
	idle           = 100 * time.Second // longer than Traefik keeps idle connections (90 s), so that it never sends on one being closed
	drain          = 3 * time.Second   // in which connections that are kept learn from their next answer that they end
	farewell       = 10 * time.Second  // for requests that are under way after that
	keyPrefix      = "api-gateway:rate:"
)

// Gateway is the HTTP handler with the stores it asks.
type Gateway struct {
	Handler http.Handler

	log       *slog.Logger
	database  *pgxpool.Pool
	redis     *redis.Client
	transport *http.Transport
	timeouts  proxy.Timeouts
	draining  atomic.Bool
	open      atomic.Int64 // connections
}

// New makes a gateway. It connects to no store yet: one that is down is told by readiness, not by a process that will not start.
func New(cfg config.Config, version string, log *slog.Logger, timeouts proxy.Timeouts) (*Gateway, error) {
	// Only readiness asks PostgreSQL.
	cfg.Database.MaxConns, cfg.Database.MinConns = 2, 0
	database, err := pgxpool.NewWithConfig(context.Background(), cfg.Database)
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL: %w", err)
	}
	cfg.Redis.ContextTimeoutEnabled = true // the context's deadline bounds the wait
	cfg.Redis.MaxRetries = -1              // a request that counts twice is worse than one that is let in
	cfg.Redis.DialerRetries = 1
	gateway := &Gateway{
		log:       log,
		database:  database,
		redis:     redis.NewClient(cfg.Redis),
		transport: proxy.NewTransport(timeouts),
		timeouts:  timeouts,
	}
	gateway.Handler = gateway.handler(cfg, version)
	return gateway, nil
}

// handler reads from the bottom: a request goes through the last line first.
func (g *Gateway) handler(cfg config.Config, version string) http.Handler {
	limiter := ratelimit.New(g.redis, keyPrefix, cfg.RequestsPerSec, cfg.Burst)

	api := proxy.Routes(cfg.Upstreams, g.transport, g.timeouts, g.log)
	api = limiter.Middleware(g.log)(api)
	api = cors.Middleware(cfg.Origins)(api)

	mux := http.NewServeMux()
	mux.Handle("GET /health", health.Live(cfg.Service, version))
	// No request needs either: PostgreSQL is asked by nothing else here, and without Redis requests are let in unlimited.
	mux.Handle("GET /health/ready", health.Ready(nil, map[string]health.Check{
		"postgres": g.database.Ping,
		"redis":    func(ctx context.Context) error { return g.redis.Ping(ctx).Err() },
	}, g.log))
	mux.Handle("/", api)

	var handler http.Handler = proxy.PlainPaths(mux)
	handler = observe(g.log, &g.draining, handler)
	handler = auth.NewVerifier(cfg.JWTSecret).Middleware(handler)
	handler = clientip.Middleware(cfg.TrustedProxies)(handler)
	return requestid.Middleware(handler)
}

// Close gives the stores' connections back.
func (g *Gateway) Close() {
	g.transport.CloseIdleConnections()
	g.database.Close()
	if err := g.redis.Close(); err != nil {
		g.log.Warn("closing Redis", "error", err.Error())
	}
}

// Serve listens until ctx ends, then ends kept connections with their next answer, takes no more connections, lets requests under
// way finish, and returns nil.
func (g *Gateway) Serve(ctx context.Context, listener net.Listener) error {
	server := g.server()
	server.ErrorLog = slog.NewLogLogger(g.log.Handler(), slog.LevelDebug) // clients that break off
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	g.log.Info("listening", "address", listener.Addr().String())
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	g.log.Info("stopping")
	g.drain()
	deadline, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	if err := server.Shutdown(deadline); err != nil {
		g.log.Warn("requests were broken off", "error", err.Error())
		_ = server.Close()
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// drain serves on while answers say `Connection: close`, until no connection is left or its time is over. A connection that is closed
// while it is idle may be one on which a request is just coming: that request would be lost.
func (g *Gateway) drain() {
	g.draining.Store(true)
	over := time.After(drain)
	for g.open.Load() > 0 {
		select {
		case <-over:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// count keeps the number of open connections.
func (g *Gateway) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		g.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		g.open.Add(-1)
	}
}

func (g *Gateway) server() *http.Server {
	return &http.Server{
		ConnState:         g.count,
		Handler:           g.Handler,
		ReadHeaderTimeout: headerPatience,
		ReadTimeout:       requestLimit,
		WriteTimeout:      requestLimit + g.timeouts.Whole, // the last resort too
		IdleTimeout:       idle,
		MaxHeaderBytes:    32 << 10,
	}
}
