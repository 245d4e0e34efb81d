package health

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"
)

type store struct {
	Needed bool
	Does   string
}

type vectors struct {
	Health struct {
		Live    map[string]string
		Failure string
		Ready   []struct {
			Stores map[string]store
			Status int
			Answer report
		}
	}
}

func read(t *testing.T) vectors {
	t.Helper()
	text, err := os.ReadFile("../../contract/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var found vectors
	if err := json.Unmarshal(text, &found); err != nil {
		t.Fatal(err)
	}
	return found
}

// said is the answer of a handler, with its status.
func said[T any](t *testing.T, handle http.HandlerFunc) (int, T) {
	t.Helper()
	answer := httptest.NewRecorder()
	handle(answer, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	var body T
	if err := json.Unmarshal(answer.Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	return answer.Code, body
}

func TestLivenessIsAnsweredAsInEveryStack(t *testing.T) {
	want := read(t).Health.Live
	if _, got := said[map[string]string](t, Live("some-service", "dev")); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestReadinessIsAnsweredAsInEveryStack(t *testing.T) {
	health := read(t).Health
	does := map[string]Check{
		"answers":   func(context.Context) error { return nil },
		"fails":     func(context.Context) error { return errors.New(health.Failure) },
		"is silent": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	}
	for _, vector := range health.Ready {
		needed, shown, fails := map[string]Check{}, map[string]Check{}, false
		for name, store := range vector.Stores {
			if store.Needed {
				needed[name] = does[store.Does]
			} else {
				shown[name] = does[store.Does]
			}
			fails = fails || store.Does == "fails"
		}
		var log strings.Builder
		status, got := said[report](t, Ready(needed, shown, slog.New(slog.NewTextHandler(&log, nil))))
		if status != vector.Status || !reflect.DeepEqual(got, vector.Answer) {
			t.Errorf("got %d %v, want %d %v", status, got, vector.Status, vector.Answer)
		}
		if strings.Contains(log.String(), health.Failure) != fails { // what a store said of itself is in the log alone
			t.Errorf("log: %s", log.String())
		}
	}
}
