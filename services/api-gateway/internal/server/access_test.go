package server

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"log/slog"

	"github.com/nextai-agent/platform/services/api-gateway/internal/requestid"
)

func TestAPanicIsAnErrorBodyAndTheServerLives(t *testing.T) {
	var text bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&text, nil))
	front := httptest.NewServer(requestid.Middleware(observe(log, new(atomic.Bool), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a defect") }))))
	defer front.Close()
	for range 2 {
		response, err := http.Get(front.URL)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != 500 || !strings.Contains(string(body), `"code":"internal_error"`) || strings.Contains(string(body), "a defect") {
			t.Errorf("%d %s", response.StatusCode, body)
		}
	}
	if !strings.Contains(text.String(), "a defect") || !strings.Contains(text.String(), `"status":500`) {
		t.Errorf("log:\n%s", text.String())
	}
}

func TestAPanicAfterTheFirstBytesBreaksTheAnswerOff(t *testing.T) {
	log := slog.New(slog.NewJSONHandler(io.Discard, nil))
	front := httptest.NewServer(observe(log, new(atomic.Bool), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic("a defect")
	})))
	defer front.Close()
	response, err := http.Get(front.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if body, err := io.ReadAll(response.Body); err == nil {
		t.Errorf("the client takes %q for the whole answer", body)
	}
}
