package proxy

import (
	"net/http"
	"time"
)

// unbounded lets an answer go on for as long as the service makes it and the client takes it. It begins within Timeouts.Response as any
// other does. A client that takes nothing more is given up after `part`: each write has that long. A service that is silent is not.
func unbounded(part time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&stream{w, http.NewResponseController(w), part}, r)
	})
}

// stream moves the server's limit of the whole answer before each part of it.
type stream struct {
	http.ResponseWriter
	connection *http.ResponseController
	part       time.Duration
}

func (s *stream) Write(data []byte) (int, error) {
	_ = s.connection.SetWriteDeadline(time.Now().Add(s.part)) // a writer without deadlines is a test's
	return s.ResponseWriter.Write(data)
}

// FlushError is where most of what is written goes out.
func (s *stream) FlushError() error {
	_ = s.connection.SetWriteDeadline(time.Now().Add(s.part))
	return s.connection.Flush()
}

func (s *stream) Unwrap() http.ResponseWriter { return s.ResponseWriter }
