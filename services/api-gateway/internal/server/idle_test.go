package server

import (
	"testing"
	"time"
)

// What Traefik's documentation gives for serversTransport.forwardingTimeouts.idleConnTimeout.
const traefikKeepsIdle = 90 * time.Second

func TestIdleConnectionsAreClosedByTheIngressAndNotByTheGateway(t *testing.T) {
	if kept := new(Gateway).server().IdleTimeout; kept <= traefikKeepsIdle {
		t.Errorf("the gateway closes an idle connection after %s, on which Traefik may be sending a request until %s", kept, traefikKeepsIdle)
	}
}
