// Package server puts the gateway together and runs it.
package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/nextai-agent/platform/packages/service-kit-go/health"
	"github.com/nextai-agent/platform/packages/service-kit-go/requestid"
	"github.com/nextai-agent/platform/packages/service-kit-go/service"
	"github.com/nextai-agent/platform/services/api-gateway/internal/auth"
	"github.com/nextai-agent/platform/services/api-gateway/internal/clientip"
	"github.com/nextai-agent/platform/services/api-gateway/internal/config"
	"github.com/nextai-agent/platform/services/api-gateway/internal/cors"
	"github.com/nextai-agent/platform/services/api-gateway/internal/proxy"
	"github.com/nextai-agent/platform/services/api-gateway/internal/ratelimit"
)

const (
	requestLimit = 25 * time.Second // for a client's whole request, the last resort: proxy.Timeouts.Body is shorter
	keyPrefix    = "api-gateway:rate:"
)

// Gateway is the HTTP handler with the stores it asks.
type Gateway struct {
	Handler http.Handler

	log       *slog.Logger
	database  *pgxpool.Pool
	redis     *redis.Client
	transport *http.Transport
	timeouts  proxy.Timeouts
	server    *service.Server
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
		server:    service.NewServer(log, service.Limits{Request: requestLimit, Answer: requestLimit + timeouts.Whole}),
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
	handler = g.server.Observe(caller, handler)
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

// Serve listens until ctx ends, and returns nil when every request under way is done.
func (g *Gateway) Serve(ctx context.Context, listener net.Listener) error {
	return g.server.Serve(ctx, listener, g.Handler)
}

// caller is who sent a request: what the log says of it besides what every service's says.
func caller(r *http.Request) []slog.Attr {
	return []slog.Attr{
		slog.String("client", clientip.From(r.Context()).String()), slog.String("userId", auth.From(r.Context()).UserID),
	}
}
