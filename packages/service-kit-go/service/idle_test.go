package service

import (
	"io"
	"log/slog"
	"testing"
	"time"
)

// What Traefik's documentation gives for serversTransport.forwardingTimeouts.idleConnTimeout.
const traefikKeepsIdle = 90 * time.Second

func TestIdleConnectionsAreClosedByTheIngressAndNotByTheService(t *testing.T) {
	server := NewServer(slog.New(slog.NewTextHandler(io.Discard, nil)), ownLimits).server(nil)
	if kept := server.IdleTimeout; kept <= traefikKeepsIdle {
		t.Errorf("an idle connection is closed after %s, on which Traefik may be sending a request until %s", kept, traefikKeepsIdle)
	}
}
