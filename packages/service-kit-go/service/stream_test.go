package service

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextai-agent/platform/packages/service-kit-go/limits"
)

// speaking answers with ten parts, one after each pause, and stops when the request's context ends.
func speaking(pause time.Duration) Parts {
	return Parts{Streams: map[string]http.HandlerFunc{"GET /parts": func(w http.ResponseWriter, r *http.Request) {
		for range 10 {
			select {
			case <-time.After(pause):
			case <-r.Context().Done():
				return
			}
			_, _ = io.WriteString(w, "part ")
			_ = http.NewResponseController(w).Flush()
		}
	}}}
}

func TestAStreamOutlivesTheLimitsOfTheConnection(t *testing.T) {
	server := NewServer(slog.New(slog.DiscardHandler), Limits{Request: 100 * time.Millisecond, Answer: 100 * time.Millisecond})
	front := httptest.NewUnstartedServer(nil)
	front.Config = server.server(server.handler("some-service", "dev", speaking(50*time.Millisecond)))
	front.Start()
	defer front.Close()
	response, err := http.Get(front.URL + "/parts")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if said, err := io.ReadAll(response.Body); err != nil || string(said) != strings.Repeat("part ", 10) {
		t.Errorf("%q, %v", said, err)
	}
}

func TestAStreamOutlivesTheLimitOfAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := httptest.NewRecorder()
		Handler("some-service", speaking(limits.Request/2), slog.New(slog.DiscardHandler)).ServeHTTP(answer, httptest.NewRequest("GET", "/parts", nil))
		if said := answer.Body.String(); said != strings.Repeat("part ", 10) {
			t.Errorf("%q", said)
		}
	})
}
