package proxy

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

// pauses are waited before each further attempt to connect: while a service is rolled out, a connection may lead to a pod that
// has just gone, or that no network policy lets in yet.
var pauses = []time.Duration{100 * time.Millisecond, 300 * time.Millisecond, 600 * time.Millisecond}

// reconnecting asks again when no connection could be made. Nothing was sent then, so it is safe whatever the method is.
type reconnecting struct {
	next http.RoundTripper
}

// RoundTrip sends the body, which is in memory already (see withBody), as often as it has to be sent.
func (t reconnecting) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Body != nil && request.Body != http.NoBody {
		body, err := io.ReadAll(request.Body)
		request.Body.Close()
		if err != nil {
			return nil, err
		}
		request = request.Clone(request.Context())
		// The transport itself uses it when a kept connection turns out to be closed before anything was sent.
		request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		request.ContentLength = int64(len(body))
		request.TransferEncoding = nil
	}
	for _, pause := range pauses {
		response, err := t.attempt(request)
		if !refused(err) {
			return response, err
		}
		select {
		case <-time.After(pause):
		case <-request.Context().Done():
			return nil, err
		}
	}
	return t.attempt(request)
}

func (t reconnecting) attempt(request *http.Request) (*http.Response, error) {
	if request.GetBody != nil {
		body, err := request.GetBody()
		if err != nil {
			return nil, err
		}
		request.Body = body
	}
	return t.next.RoundTrip(request)
}

// refused tells whether there was an answer at once, and it was no connection. A silent address has had its time already.
func refused(err error) bool {
	var dial *net.OpError
	return errors.As(err, &dial) && dial.Op == "dial" && !dial.Timeout()
}
