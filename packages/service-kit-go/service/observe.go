package service

import (
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nextai-agent/platform/packages/service-kit-go/reply"
)

// response remembers what was answered, and says at the end of the process that its connection ends with it. Unwrap lets
// http.ResponseController reach the real writer.
type response struct {
	http.ResponseWriter
	draining *atomic.Bool
	status   int
	bytes    int64
}

func (r *response) WriteHeader(status int) {
	if r.status == 0 && status >= 200 { // 1xx are not the answer
		r.status = status
		if r.draining.Load() {
			r.Header().Set("Connection", "close")
		}
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *response) Write(data []byte) (int, error) {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	n, err := r.ResponseWriter.Write(data)
	r.bytes += int64(n)
	return n, err
}

func (r *response) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Observe writes one log line a request and turns a panic into a 500. The query is not logged: it holds what people search for.
// more: what the line says besides; nil where that is nothing.
func (s *Server) Observe(more func(*http.Request) []slog.Attr, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, answer := time.Now(), &response{ResponseWriter: w, draining: &s.draining}
		defer func() {
			fault := recover()
			if fault != nil && fault != http.ErrAbortHandler {
				s.log.ErrorContext(r.Context(), "panic", "error", fault, "stack", string(debug.Stack()))
				if answer.status == 0 {
					reply.Refuse(answer, r, http.StatusInternalServerError, "Something went wrong on our side.")
				} else {
					fault = http.ErrAbortHandler // half an answer has gone: only breaking off tells the client so
				}
			}
			line := []slog.Attr{
				slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", answer.status),
				slog.Int64("bytes", answer.bytes), slog.Float64("durationMs", float64(time.Since(began).Microseconds())/1000),
			}
			if more != nil {
				line = append(line, more(r)...)
			}
			s.log.LogAttrs(r.Context(), importance(r, answer.status), "request", line...)
			if fault == http.ErrAbortHandler {
				panic(fault)
			}
		}()
		next.ServeHTTP(answer, r)
	})
}

// importance keeps probes, which come every few seconds, out of an ordinary log.
func importance(r *http.Request, status int) slog.Level {
	switch {
	case strings.HasPrefix(r.URL.Path, "/health"):
		return slog.LevelDebug
	case status >= 500:
		return slog.LevelError
	}
	return slog.LevelInfo
}
