package proxy

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/nextai-agent/platform/packages/service-kit-go/reply"
)

// withBody takes a request's whole body before anything is asked of a service: refused is one over BodyLimit, at once when its length
// is announced, and one that is not here within `limit`, so that a client that sends a byte now and then holds nothing but itself up.
func withBody(limit time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > BodyLimit {
			w.Header().Set("Connection", "close") // else the server would read the rest of the body
			tooLarge(w, r)
			return
		}
		if r.Body == nil || r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}
		connection := http.NewResponseController(w)
		_ = connection.SetReadDeadline(time.Now().Add(limit)) // a writer without deadlines is a test's
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, BodyLimit))
		if err != nil {
			refuse(w, r, err)
			return
		}
		_ = connection.SetReadDeadline(time.Time{})
		r.Body = io.NopCloser(bytes.NewReader(body))
		r.ContentLength = int64(len(body))
		r.TransferEncoding = nil
		next.ServeHTTP(w, r)
	})
}

func refuse(w http.ResponseWriter, r *http.Request, err error) {
	var (
		large   *http.MaxBytesError
		network net.Error
	)
	w.Header().Set("Connection", "close")
	switch {
	case errors.As(err, &large):
		tooLarge(w, r)
	case errors.As(err, &network) && network.Timeout():
		reply.Refuse(w, r, http.StatusRequestTimeout, "The request did not arrive in time.")
	default:
		panic(http.ErrAbortHandler) // the client broke off, or sent what is not HTTP
	}
}

func tooLarge(w http.ResponseWriter, r *http.Request) {
	reply.Refuse(w, r, http.StatusRequestEntityTooLarge, "The body is larger than 1 MiB.")
}
