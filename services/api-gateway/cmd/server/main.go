// Command server is the API gateway. `server -healthcheck [path]` asks a running one instead, for images without a shell.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	redislog "github.com/redis/go-redis/v9/logging"

	"github.com/nextai-agent/platform/packages/service-kit-go/health"
	"github.com/nextai-agent/platform/packages/service-kit-go/logging"
	"github.com/nextai-agent/platform/packages/service-kit-go/service"
	apigateway "github.com/nextai-agent/platform/services/api-gateway"
	"github.com/nextai-agent/platform/services/api-gateway/internal/config"
	"github.com/nextai-agent/platform/services/api-gateway/internal/proxy"
	"github.com/nextai-agent/platform/services/api-gateway/internal/server"
)

// Exit codes: 1 is a failure, 2 a wrong environment.
func main() {
	probe := flag.Bool("healthcheck", false, "ask the server that runs here for `[path]` (default /health) and exit 0 if it answers 200")
	flag.Parse()
	if err := run(*probe); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(service.ExitCode(err))
	}
}

func run(probe bool) error {
	contract, err := config.Parse(apigateway.Contract)
	if err != nil {
		return err
	}
	if probe {
		return health.Probe(contract.PortFrom(os.Getenv), flag.Arg(0))
	}
	cfg, err := config.Load(contract, os.Getenv)
	if err != nil {
		return err
	}
	return serve(cfg)
}

func serve(cfg config.Config) error {
	redislog.Disable() // it writes lines of its own form to stderr; the limiter and readiness say what is to be said

	// Signals are taken first: one that comes during start-up must also end in a clean exit.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	gateway, err := server.New(cfg, service.Version(), logging.New(os.Stdout, cfg.LogLevel, cfg.LogFormat, cfg.Service), proxy.DefaultTimeouts)
	if err != nil {
		return fmt.Errorf("%s: cannot start: %w", cfg.Service, err)
	}
	defer gateway.Close()
	listener, err := net.Listen("tcp", cfg.Address)
	if err != nil {
		return fmt.Errorf("%s: cannot start: %w", cfg.Service, err)
	}
	return gateway.Serve(ctx, listener)
}
