package server_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	redislog "github.com/redis/go-redis/v9/logging"

	"github.com/nextai-agent/platform/packages/service-kit-go/logging"
	apigateway "github.com/nextai-agent/platform/services/api-gateway"
	"github.com/nextai-agent/platform/services/api-gateway/internal/config"
	"github.com/nextai-agent/platform/services/api-gateway/internal/proxy"
	"github.com/nextai-agent/platform/services/api-gateway/internal/server"
	"github.com/nextai-agent/platform/services/api-gateway/internal/teststores"
)

const secret = "a-secret-of-thirty-two-characters!"

func TestMain(m *testing.M) {
	redislog.Disable()
	m.Run()
}

// gateway is a real gateway on real stores, with its log.
type gateway struct {
	*server.Gateway
	url string
	log *buffer
}

type buffer struct {
	lock sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(data []byte) (int, error) {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.text.Write(data)
}

func (b *buffer) String() string {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.text.String()
}

// start runs a gateway before the two services. `change` overrides its environment.
func start(t *testing.T, users, memories string, change map[string]string) gateway {
	t.Helper()
	return startWith(t, users, memories, change, proxy.DefaultTimeouts)
}

func startWith(t *testing.T, users, memories string, change map[string]string, timeouts proxy.Timeouts) gateway {
	t.Helper()
	environment := map[string]string{
		"DATABASE_URL": teststores.URL(t, "DATABASE_URL"), "REDIS_URL": teststores.URL(t, "REDIS_URL"),
		"JWT_SECRET": secret, "USER_SERVICE_URL": users, "MEMORY_SERVICE_URL": memories,
		"CORS_ORIGINS": "https://app.nextai-agent.com", "TRUSTED_PROXIES": "127.0.0.0/8,::1", "LOG_LEVEL": "debug",
	}
	maps.Copy(environment, change)
	contract, err := config.Parse(apigateway.Contract)
	if err != nil {
		t.Fatal(err)
	}
	for _, route := range contract.Routes {
		if environment[route.URL] == "" {
			environment[route.URL] = "http://127.0.0.1:1" // a service that these tests do not ask
		}
	}
	cfg, err := config.Load(contract, func(name string) string { return environment[name] })
	if err != nil {
		t.Fatal(err)
	}
	log := &buffer{}
	made, err := server.New(cfg, "1.2.3", logging.New(log, cfg.LogLevel, cfg.LogFormat, cfg.Service), timeouts)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewUnstartedServer(made.Handler)
	front.Config.ErrorLog = slog.NewLogLogger(slog.NewTextHandler(io.Discard, nil), slog.LevelDebug)
	front.Start()
	t.Cleanup(func() { front.Close(); made.Close() })
	return gateway{made, front.URL, log}
}

// service is an upstream that tells what it was asked.
func service(t *testing.T, name string) *httptest.Server {
	t.Helper()
	made := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Request-Id", "of-the-service")
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Server", "service/1")
		_ = json.NewEncoder(w).Encode(seen{name, r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header, string(body)})
	}))
	t.Cleanup(made.Close)
	return made
}

type seen struct {
	Service, Method, Path, Query string
	Header                       http.Header
	Body                         string
}

type answer struct {
	*http.Response
	body string
}

func (a answer) seen(t *testing.T) seen {
	t.Helper()
	var s seen
	if err := json.Unmarshal([]byte(a.body), &s); err != nil || s.Service == "" {
		t.Fatalf("no service was reached: %d %s", a.StatusCode, a.body)
	}
	return s
}

// refused checks the status and the error body, request id included.
func (a answer) refused(t *testing.T, status int, code string) {
	t.Helper()
	var body struct {
		Error struct{ Code, Message, RequestID string }
	}
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		t.Fatalf("%d, not an error body: %q", a.StatusCode, a.body)
	}
	if a.StatusCode != status || body.Error.Code != code || body.Error.Message == "" {
		t.Errorf("got %d %s, want %d %s", a.StatusCode, a.body, status, code)
	}
	if id := a.Header.Get("X-Request-Id"); id == "" || id != body.Error.RequestID {
		t.Errorf("request id %q in the header, %q in the body", id, body.Error.RequestID)
	}
}

// call sends a request from a client address of its own, so that no test uses up another's rate limit.
func call(t *testing.T, method, url, body string, headers ...string) answer {
	t.Helper()
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Forwarded-For", address())
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	if values := request.Header.Values("X-Forwarded-For"); len(values) > 1 {
		request.Header["X-Forwarded-For"] = values[1:]
	}
	response, err := http.DefaultTransport.RoundTrip(request) // no redirects: a redirect is an answer
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response, string(text)}
}

func address() string {
	var b [7]byte
	_, _ = rand.Read(b[:])
	return fmt.Sprintf("2001:db8:%x:%x::%x", uint16(b[0])<<8|uint16(b[1]), uint16(b[2])<<8|uint16(b[3]), b[4])
}

func newUser() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func token(t *testing.T, user string, lifetime time.Duration) string {
	t.Helper()
	now := time.Now()
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": user, "email": "a@example.com", "name": "A", "iss": "nextai-agent", "aud": "nextai-agent",
		"iat": now.Add(-time.Hour).Unix(), "exp": now.Add(lifetime).Unix(),
	}).SignedString([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return "Bearer " + signed
}
