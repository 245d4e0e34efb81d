package proxy

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nextai-agent/platform/services/api-gateway/internal/config"
)

// Limits that a stream outlives in a test's time.
const limit = 150 * time.Millisecond

// before is a gateway's routes in a server that has a limit of the whole answer itself, as the gateway's has.
func before(t *testing.T, service http.HandlerFunc, streams bool) string {
	t.Helper()
	return within(t, time.Minute, service, streams)
}

// within is the same, where a stream may be silent for so long.
func within(t *testing.T, idle time.Duration, service http.HandlerFunc, streams bool) string {
	t.Helper()
	timeouts := Timeouts{Body: time.Minute, Connect: time.Minute, Response: limit, Whole: limit, Idle: idle}
	return over(t, NewTransport(timeouts), timeouts, service, streams)
}

// over is the same, over connections of the test's own.
func over(t *testing.T, transport http.RoundTripper, timeouts Timeouts, service http.HandlerFunc, streams bool) string {
	t.Helper()
	upstream := httptest.NewServer(service)
	t.Cleanup(upstream.Close)
	base, err := url.Parse(upstream.URL)
	if err != nil {
		t.Fatal(err)
	}
	way := config.Upstream{Route: config.Route{Prefix: "/api/runs", Service: "runs", Strip: "/api", Public: true, Stream: streams}, Base: base}
	routes := Routes([]config.Upstream{way}, transport, timeouts, slog.New(slog.DiscardHandler))
	gateway := httptest.NewUnstartedServer(routes)
	gateway.Config.WriteTimeout = limit
	gateway.Start()
	t.Cleanup(gateway.Close)
	return gateway.URL + "/api/runs/1"
}

// send writes a part of an answer at once.
func send(w http.ResponseWriter, text string) {
	_, _ = io.WriteString(w, text)
	_ = http.NewResponseController(w).Flush()
}

func get(t *testing.T, ctx context.Context, url string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second) // what hangs fails
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

func read(t *testing.T, response *http.Response, want string) {
	t.Helper()
	part := make([]byte, len(want))
	if n, err := io.ReadFull(response.Body, part); err != nil || string(part) != want {
		t.Fatalf("got %q, %v; want %q", part[:n], err, want)
	}
}

func TestAStreamIsPassedOnPartByPartAndOutlivesTheLimitOfAWholeAnswer(t *testing.T) {
	more := make(chan struct{})
	url := before(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "12") // of an answer of known length, the proxy would keep a part until it has enough
		send(w, "first ")
		select {
		case <-more:
		case <-r.Context().Done():
			return
		}
		time.Sleep(3 * limit)
		send(w, "second")
	}, true)
	response := get(t, t.Context(), url)
	read(t, response, "first ") // while the service makes the rest
	close(more)
	read(t, response, "second")
	if rest, err := io.ReadAll(response.Body); err != nil || len(rest) != 0 {
		t.Errorf("it does not end well: %q, %v", rest, err)
	}
}

func TestAStreamThatNeverEndsIsEndedWhenTheClientLeaves(t *testing.T) {
	left := make(chan struct{})
	url := before(t, func(w http.ResponseWriter, r *http.Request) {
		send(w, "first")
		<-r.Context().Done()
		close(left)
	}, true)
	ctx, leave := context.WithCancel(t.Context())
	read(t, get(t, ctx, url), "first")
	select {
	case <-left:
		t.Fatal("the service was given up while the client was there")
	case <-time.After(3 * limit):
	}
	leave()
	select {
	case <-left:
	case <-time.After(10 * time.Second):
		t.Error("the service still works for a client that has gone")
	}
}

func TestAStreamThatIsSilentIsGivenUpAtBothEnds(t *testing.T) {
	ended := make(chan struct{})
	url := within(t, 4*limit, func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		for range 10 { // together longer than it may be silent
			send(w, "part")
			time.Sleep(limit / 2)
		}
		<-r.Context().Done()
	}, true)
	response := get(t, t.Context(), url)
	if said, err := io.ReadAll(response.Body); !errors.Is(err, io.ErrUnexpectedEOF) || string(said) != strings.Repeat("part", 10) {
		t.Errorf("it ended with %q, %v", said, err)
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the service still works on a stream that was given up")
	}
}

func TestAStreamBeginsInTimeAsAnyAnswerDoes(t *testing.T) {
	url := before(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, true)
	if response := get(t, t.Context(), url); response.StatusCode != http.StatusGatewayTimeout {
		t.Errorf("got %d", response.StatusCode)
	}
}

func TestTheTimeToReachAServiceIsPartOfTheTimeInWhichAStreamBegins(t *testing.T) {
	timeouts := Timeouts{Body: time.Minute, Connect: time.Minute, Response: limit, Whole: time.Minute, Idle: time.Minute}
	transport, dial := NewTransport(timeouts), (&net.Dialer{}).DialContext
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		select {
		case <-time.After(10 * limit):
			return dial(ctx, network, address)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	url := over(t, transport, timeouts, func(w http.ResponseWriter, _ *http.Request) { send(w, "first") }, true)
	if response := get(t, t.Context(), url); response.StatusCode != http.StatusGatewayTimeout {
		t.Errorf("got %d", response.StatusCode)
	}
}

func TestAClientThatTakesNothingMoreIsGivenUp(t *testing.T) {
	ended := make(chan struct{})
	url := before(t, func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		part := make([]byte, 1<<20)
		for r.Context().Err() == nil {
			send(w, string(part))
		}
	}, true)
	response := get(t, t.Context(), url)
	if response.StatusCode != http.StatusOK {
		t.Fatalf("got %d", response.StatusCode)
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the service still writes for a client that takes nothing")
	}
}

func TestAnAnswerThatIsNoStreamKeepsItsLimit(t *testing.T) {
	url := before(t, func(w http.ResponseWriter, r *http.Request) {
		send(w, "first")
		<-r.Context().Done()
	}, false)
	response := get(t, t.Context(), url)
	if _, err := io.ReadAll(response.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("it ended with %v", err)
	}
}
