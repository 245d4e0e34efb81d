package proxy

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"
)

// whileItSpeaks lets an answer go on for as long as the service makes it and the client takes it. It begins within Timeouts.Response, all
// attempts to connect included. A client that takes nothing more is given up after Timeouts.Whole: each write has that long. A service that says nothing
// more is given up after Timeouts.Idle.
func whileItSpeaks(timeouts Timeouts, log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancelCause(r.Context())
		defer cancel(nil)
		answer := &stream{ResponseWriter: w, connection: http.NewResponseController(w), timeouts: timeouts}
		answer.silent = time.AfterFunc(timeouts.Response, func() {
			if answer.begun.Load() {
				log.WarnContext(ctx, "a stream is silent and ends", "path", r.URL.Path)
			}
			cancel(context.DeadlineExceeded)
		})
		defer answer.silent.Stop()
		next.ServeHTTP(answer, r.WithContext(ctx))
	})
}

// stream moves both limits with each part of an answer.
type stream struct {
	http.ResponseWriter
	connection *http.ResponseController
	timeouts   Timeouts
	silent     *time.Timer
	begun      atomic.Bool
}

// WriteHeader begins the answer, which may be silent before its first part.
func (s *stream) WriteHeader(status int) {
	if status >= http.StatusOK { // 1xx are not the answer
		s.move()
	}
	s.ResponseWriter.WriteHeader(status)
}

func (s *stream) Write(data []byte) (int, error) {
	s.move()
	return s.ResponseWriter.Write(data)
}

// FlushError is where most of what is written goes out.
func (s *stream) FlushError() error {
	s.move()
	return s.connection.Flush()
}

func (s *stream) move() {
	s.begun.Store(true)
	s.silent.Reset(s.timeouts.Idle)
	_ = s.connection.SetWriteDeadline(time.Now().Add(s.timeouts.Whole)) // a writer without deadlines is a test's
}

func (s *stream) Unwrap() http.ResponseWriter { return s.ResponseWriter }
