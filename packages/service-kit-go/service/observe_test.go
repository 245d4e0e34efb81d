package service

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"log/slog"

	"github.com/nextai-agent/platform/packages/service-kit-go/logging"
	"github.com/nextai-agent/platform/packages/service-kit-go/requestid"
)

func TestAPanicIsAnErrorBodyAndTheServerLives(t *testing.T) {
	var text bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&text, nil))
	front := httptest.NewServer(requestid.Middleware(NewServer(log, ownLimits).Observe(nil, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a defect") }))))
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

func TestARequestIsLoggedAsInEveryStack(t *testing.T) {
	text, err := os.ReadFile("../../contract/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Log struct {
			Always, Request []string
			Requests        []struct {
				Status int
				Health bool
				Level  string
			}
		}
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	for _, vector := range vectors.Log.Requests {
		var out bytes.Buffer
		path := map[bool]string{false: "/a", true: "/health"}[vector.Health]
		log := logging.New(&out, slog.LevelDebug, "json", "some-service")
		answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(vector.Status) })
		requestid.Middleware(NewServer(log, ownLimits).Observe(nil, answer)).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
		line := map[string]any{}
		if err := json.Unmarshal(out.Bytes(), &line); err != nil {
			t.Fatalf("%s: %v", out.String(), err)
		}
		if line["level"] != vector.Level || line["status"] != float64(vector.Status) || line["path"] != path {
			t.Errorf("%+v: %s", vector, out.String())
		}
		for _, key := range slices.Concat(vectors.Log.Always, vectors.Log.Request) {
			if _, there := line[key]; !there {
				t.Errorf("no %s: %s", key, out.String())
			}
		}
	}
}

func TestAPanicAfterTheFirstBytesBreaksTheAnswerOff(t *testing.T) {
	log := slog.New(slog.NewJSONHandler(io.Discard, nil))
	front := httptest.NewServer(NewServer(log, ownLimits).Observe(nil, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
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
