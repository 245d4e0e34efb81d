package service

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/nextai-agent/platform/packages/service-kit-go/limits"
)

const (
	headerLimit = 5 * time.Second   // for a client's request line and headers
	idle        = 100 * time.Second // longer than Traefik keeps idle connections (90 s), so that it never sends on one being closed
)

// Limits are the last resort against a client that sends or takes nothing; what a handler waits for has limits of its own.
type Limits struct {
	Request time.Duration // for a client's whole request
	Answer  time.Duration // from the request's headers until the answer is written
}

// Server is an HTTP server that loses no request when it ends.
type Server struct {
	log      *slog.Logger
	limits   Limits
	draining atomic.Bool
	open     atomic.Int64 // connections
}

// NewServer makes a server that listens nowhere yet.
func NewServer(log *slog.Logger, own Limits) *Server { return &Server{log: log, limits: own} }

// Serve listens until ctx ends, then ends kept connections with their next answer, takes no more connections, lets requests under
// way finish, and returns nil. The handler's requests must go through Observe.
func (s *Server) Serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := s.server(handler)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	s.log.Info("listening", "address", listener.Addr().String())
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	s.log.Info("stopping")
	s.drain()
	deadline, cancel := context.WithTimeout(context.Background(), limits.Farewell)
	defer cancel()
	if err := server.Shutdown(deadline); err != nil {
		s.log.Warn("requests were broken off", "error", err.Error())
		_ = server.Close()
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// drain serves on while answers say `Connection: close`, until no connection is left or its time is over. A connection that is closed
// while it is idle may be one on which a request is just coming: that request would be lost.
func (s *Server) drain() {
	s.draining.Store(true)
	over := time.After(limits.Drain)
	for s.open.Load() > 0 {
		select {
		case <-over:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// count keeps the number of open connections.
func (s *Server) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.open.Add(-1)
	}
}

func (s *Server) server(handler http.Handler) *http.Server {
	return &http.Server{
		ConnState:         s.count,
		Handler:           handler,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // clients that break off
		ReadHeaderTimeout: headerLimit,
		ReadTimeout:       s.limits.Request,
		WriteTimeout:      s.limits.Answer,
		IdleTimeout:       idle,
		MaxHeaderBytes:    32 << 10,
	}
}
