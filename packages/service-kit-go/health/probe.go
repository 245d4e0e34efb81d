package health

import (
	"fmt"
	"net"
	"net/http"
	"time"
)

// Probe asks the server on this machine, and returns nil when it answers 200. An empty path is /health.
func Probe(port, path string) error {
	if path == "" {
		path = "/health"
	}
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Get("http://" + net.JoinHostPort("127.0.0.1", port) + path)
	if err != nil {
		return fmt.Errorf("healthcheck: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("healthcheck: %s answered %s", path, response.Status)
	}
	return nil
}
