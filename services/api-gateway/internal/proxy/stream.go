package proxy

import (
	"context"
	"log/slog"
	"net/http"
	"time"
)

// whileItSpeaks lets an answer go on for as long as the service makes it and the client takes it. It begins within Timeouts.Response as any
// other does. A client that takes nothing more is given up after Timeouts.Whole: each write has that long. A service that says nothing
// more is given up after Timeouts.Idle.
func whileItSpeaks(timeouts Timeouts, log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		silent := time.AfterFunc(timeouts.Idle, func() {
			log.WarnContext(ctx, "a stream is silent and ends", "path", r.URL.Path)
			cancel()
		})
		defer silent.Stop()
		next.ServeHTTP(&stream{w, http.NewResponseController(w), timeouts, silent}, r.WithContext(ctx))
	})
}

// stream moves both limits with each part of an answer.
type stream struct {
	http.ResponseWriter
	connection *http.ResponseController
	timeouts   Timeouts
	silent     *time.Timer
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
	s.silent.Reset(s.timeouts.Idle)
	_ = s.connection.SetWriteDeadline(time.Now().Add(s.timeouts.Whole)) // a writer without deadlines is a test's
}

func (s *stream) Unwrap() http.ResponseWriter { return s.ResponseWriter }
