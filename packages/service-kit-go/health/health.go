// Package health answers whether the process lives, and whether it can do its work.
package health

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"strconv"
	"sync"

	"github.com/nextai-agent/platform/packages/service-kit-go/limits"
	"github.com/nextai-agent/platform/packages/service-kit-go/reply"
)

// Timeout is how long each store has to answer a readiness check.
const Timeout = limits.Readiness

// Check asks one store.
type Check func(context.Context) error

// Live answers 200 as long as the process serves; it asks no store, so that a store's outage restarts nothing.
func Live(service, version string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		reply.JSON(w, http.StatusOK, map[string]string{"status": "ok", "service": service, "version": version})
	}
}

type report struct {
	Status string            `json:"status"`
	Checks map[string]string `json:"checks"`
}

// Ready asks every store, all at once, and shows what each said.
//
// It answers 503 when one of those that are needed did not answer well. A store that requests get along without is shown and
// decides nothing: it would else withdraw every pod at the same moment.
func Ready(needed, shown map[string]Check, log *slog.Logger) http.HandlerFunc {
	all := maps.Clone(shown)
	maps.Copy(all, needed)
	return func(w http.ResponseWriter, r *http.Request) {
		answer, status := report{"ok", map[string]string{}}, http.StatusOK
		for name, err := range ask(r.Context(), all) {
			answer.Checks[name] = "ok"
			if err == nil {
				continue
			}
			answer.Checks[name] = "error: " + brief(err)
			message := "a store does not answer"
			if _, decides := needed[name]; decides {
				message = "not ready"
				answer.Status, status = "unavailable", http.StatusServiceUnavailable
			}
			log.WarnContext(r.Context(), message, "store", name, "error", err.Error())
		}
		reply.JSON(w, status, answer)
	}
}

func ask(ctx context.Context, checks map[string]Check) map[string]error {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	var (
		wait    sync.WaitGroup
		lock    sync.Mutex
		results = map[string]error{}
	)
	for name, check := range checks {
		wait.Go(func() {
			err := check(ctx)
			lock.Lock()
			defer lock.Unlock()
			results[name] = err
		})
	}
	wait.Wait()
	return results
}

// brief says what happened without the addresses and names that an error's text has: anybody may ask for readiness.
func brief(err error) string {
	var network net.Error
	if errors.Is(err, context.DeadlineExceeded) || (errors.As(err, &network) && network.Timeout()) {
		return "no answer within " + strconv.FormatFloat(Timeout.Seconds(), 'g', -1, 64) + " s"
	}
	return "failed (the log says why)"
}
