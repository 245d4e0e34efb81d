package proxy

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// closed is an address where nobody listens.
func closed(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// refusing is a transport whose first connections lead to where nobody listens.
func refusing(t *testing.T, times int) (*http.Transport, *int) {
	t.Helper()
	address, dials := closed(t), 0
	var dialer net.Dialer
	return &http.Transport{DialContext: func(ctx context.Context, network, real string) (net.Conn, error) {
		dials++
		if dials <= times {
			return dialer.DialContext(ctx, network, address)
		}
		return dialer.DialContext(ctx, network, real)
	}}, &dials
}

func post(t *testing.T, transport http.RoundTripper, url string) (*http.Response, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, io.NopCloser(strings.NewReader("a body")))
	if err != nil {
		t.Fatal(err)
	}
	return reconnecting{transport}.RoundTrip(request)
}

func TestAConnectionThatIsRefusedForAMomentIsMadeAgainWithTheWholeBody(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	defer upstream.Close()
	transport, dials := refusing(t, 2)
	response, err := post(t, transport, upstream.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if body, _ := io.ReadAll(response.Body); string(body) != "a body" || *dials != 3 {
		t.Errorf("%q after %d connections", body, *dials)
	}
}

func TestAServiceThatStaysAwayIsGivenUp(t *testing.T) {
	transport, dials := refusing(t, 100)
	response, err := post(t, transport, "http://"+closed(t))
	if err == nil {
		_ = response.Body.Close()
		t.Fatal("no error")
	}
	if *dials != len(pauses)+1 {
		t.Errorf("%d connections", *dials)
	}
}

func TestARequestThatWasSentIsNotSentAgain(t *testing.T) {
	asked := 0
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		connection, _, _ := http.NewResponseController(w).Hijack()
		_ = connection.Close()
	}))
	defer upstream.Close()
	response, err := post(t, &http.Transport{}, upstream.URL)
	if err == nil {
		_ = response.Body.Close()
		t.Fatal("no error")
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}
