package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nextai-agent/platform/packages/service-kit-go/limits"
	"github.com/nextai-agent/platform/services/api-gateway/internal/proxy"
)

func TestRoutesLeadToTheirServiceWithoutApi(t *testing.T) {
	g := start(t, service(t, "users").URL, service(t, "memories").URL+"/base", nil)
	user := newUser()
	for _, test := range []struct{ method, path, service, upstream string }{
		{"POST", "/api/auth/sign-in", "users", "/auth/sign-in"},
		{"GET", "/api/users/me", "users", "/users/me"},
		{"GET", "/api/memories", "memories", "/base/memories"},
		{"GET", "/api/memories/", "memories", "/base/memories/"},
		{"DELETE", "/api/memories/a%20b%C3%A9", "memories", "/base/memories/a%20b%C3%A9"},
	} {
		got := call(t, test.method, g.url+test.path+"?q=a%2Fb&limit=3", `{"x":1}`, "Authorization", token(t, user, time.Hour)).seen(t)
		if got.Service != test.service || got.Path != test.upstream || got.Method != test.method || got.Query != "q=a%2Fb&limit=3" || got.Body != `{"x":1}` {
			t.Errorf("%s %s: %+v", test.method, test.path, got)
		}
		if got.Header.Get("X-User-Id") != user {
			t.Errorf("%s: X-User-Id %q", test.path, got.Header.Get("X-User-Id"))
		}
	}
}

func TestUnknownPathsAreNotFound(t *testing.T) {
	g := start(t, service(t, "users").URL, service(t, "memories").URL, nil)
	for _, path := range []string{"/", "/api", "/api/", "/api/authentic", "/api/memoriesx/1", "/auth/sign-in", "/API/auth", "/metrics"} {
		call(t, "GET", g.url+path, "", "Authorization", token(t, newUser(), time.Hour)).refused(t, 404, "not_found")
	}
}

func TestNoSpellingOfAPathReachesAProtectedServiceThroughAPublicRoute(t *testing.T) {
	reached := atomic.Int64{}
	upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer upstream.Close()
	g := start(t, upstream.URL, upstream.URL, nil)
	host := strings.TrimPrefix(g.url, "http://")
	for _, path := range []string{
		"/api/auth/../users/me", "/api/auth/..%2fusers/me", "/api/auth/%2e%2e/users/me", "/api/auth/.%2E/users/me",
		"/api/auth%2f..%2fusers/me", "/api/auth/%252e%252e/users/me", "/api/auth/%25252e%25252e%25252fusers", "/api/auth/..%5cusers", `/api/auth/..\users`,
		"/api/auth//users/me", "//api/auth/x", "/api//auth", "/api/./auth", "/api/auth/.", "/api/auth/..", "/api/auth/x%00", "/api/auth/x%0d%0a",
		"/api/auth/%2e", "/api%2fauth/x",
	} {
		if status := raw(t, host, path); status != 400 {
			t.Errorf("%s: %d", path, status)
		}
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("%d requests reached a service", n)
	}
}

// raw sends a request line as it is: a client library would clean the path.
func raw(t *testing.T, host, path string) int {
	t.Helper()
	connection, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	_, err = io.WriteString(connection, "GET "+path+" HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nX-Forwarded-For: "+address()+"\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(connection)
	if err != nil || len(text) < 12 {
		t.Fatalf("%s: %q, %v", path, text, err)
	}
	var status int
	if err := json.Unmarshal(text[9:12], &status); err != nil {
		t.Fatal(err)
	}
	return status
}

func TestAProtectedRouteNeedsAToken(t *testing.T) {
	g := start(t, service(t, "users").URL, service(t, "memories").URL, nil)
	call(t, "GET", g.url+"/api/users/me", "").refused(t, 401, "unauthenticated")
	call(t, "GET", g.url+"/api/memories", "", "Authorization", "Bearer x").refused(t, 401, "invalid_token")
	expired := call(t, "GET", g.url+"/api/memories", "", "Authorization", token(t, newUser(), -time.Minute))
	expired.refused(t, 401, "token_expired")
	if expired.Header.Get("WWW-Authenticate") == "" {
		t.Error("no WWW-Authenticate")
	}
}

func TestAPublicRouteTakesAnybody(t *testing.T) {
	g := start(t, service(t, "users").URL, service(t, "memories").URL, nil)
	for _, authorization := range []string{"Bearer x", token(t, newUser(), -time.Minute)} {
		got := call(t, "POST", g.url+"/api/auth/refresh", "{}", "Authorization", authorization).seen(t)
		if got.Header.Get("X-User-Id") != "" {
			t.Errorf("a bad token made a user: %v", got.Header)
		}
	}
}

func TestNobodyButTheGatewayNamesTheUser(t *testing.T) {
	g := start(t, service(t, "users").URL, service(t, "memories").URL, nil)
	forged := []string{
		"X-User-Id", newUser(), "x-user-id", newUser(), "X-User-Role", "admin", "X_User_Id", newUser(), "x-user_ID", newUser(),
		"Connection", "X-User-Id, keep-alive", "Cookie", "session=1", "Forwarded", "for=1.2.3.4", "X-Real-Ip", "1.2.3.4",
	}
	public := call(t, "POST", g.url+"/api/auth/sign-in", "{}", forged...).seen(t)
	user := newUser()
	protected := call(t, "GET", g.url+"/api/users/me", "", append(forged, "Authorization", token(t, user, time.Hour))...).seen(t)
	for _, got := range []seen{public, protected} {
		for name, values := range got.Header {
			plain := strings.ReplaceAll(strings.ToLower(name), "_", "-")
			ours := name == "X-User-Id" && got.Path == "/users/me" && len(values) == 1 && values[0] == user
			if strings.HasPrefix(plain, "x-user-") && !ours {
				t.Errorf("%s: %s = %q", got.Path, name, values)
			}
			if plain == "authorization" || plain == "cookie" || plain == "forwarded" || plain == "x-real-ip" {
				t.Errorf("%s is passed on", name)
			}
		}
	}
	if protected.Header.Get("X-User-Id") != user {
		t.Error("the user is not named")
	}
}

func TestTheClientsAddressIsPassedOnAndNotBelievedFromStrangers(t *testing.T) {
	users := service(t, "users")
	behind := start(t, users.URL, users.URL, nil)
	got := call(t, "GET", behind.url+"/api/auth/x", "", "X-Forwarded-For", "1.2.3.4, 203.0.113.9").seen(t)
	if got.Header.Get("X-Forwarded-For") != "203.0.113.9" {
		t.Errorf("from a trusted proxy: %q", got.Header.Get("X-Forwarded-For"))
	}
	open := start(t, users.URL, users.URL, map[string]string{"TRUSTED_PROXIES": ""})
	got = call(t, "GET", open.url+"/api/auth/x", "", "X-Forwarded-For", "203.0.113.9").seen(t)
	if got.Header.Get("X-Forwarded-For") != "127.0.0.1" {
		t.Errorf("from a stranger: %q", got.Header.Get("X-Forwarded-For"))
	}
}

func TestARequestIdGoesThrough(t *testing.T) {
	g := start(t, service(t, "users").URL, service(t, "memories").URL, nil)
	kept := call(t, "GET", g.url+"/api/auth/x", "", "X-Request-Id", "from-the-caller-1")
	if kept.seen(t).Header.Get("X-Request-Id") != "from-the-caller-1" || strings.Join(kept.Header.Values("X-Request-Id"), ",") != "from-the-caller-1" {
		t.Errorf("not kept: %v", kept.Header)
	}
	made := call(t, "GET", g.url+"/api/auth/x", "", "X-Request-Id", `bad id"`)
	id := made.Header.Get("X-Request-Id")
	if len(id) < 16 || made.seen(t).Header.Get("X-Request-Id") != id {
		t.Errorf("not made: %q", id)
	}
	if !strings.Contains(g.log.String(), `"requestId":"`+id+`"`) {
		t.Errorf("not in the log:\n%s", g.log.String())
	}
}

func TestOnlyListedOriginsMayCall(t *testing.T) {
	g := start(t, service(t, "users").URL, service(t, "memories").URL, nil)
	good := call(t, "GET", g.url+"/api/auth/x", "", "Origin", "https://app.nextai-agent.com")
	if v := good.Header.Values("Access-Control-Allow-Origin"); len(v) != 1 || v[0] != "https://app.nextai-agent.com" {
		t.Errorf("allowed origin: %v", v)
	}
	if !strings.Contains(strings.Join(good.Header.Values("Vary"), ","), "Origin") {
		t.Error("no Vary")
	}
	for _, origin := range []string{"https://evil.example", "https://app.nextai-agent.com.evil.example", "http://app.nextai-agent.com", "null", "HTTPS://APP.NEXTAI-AGENT.COM"} {
		bad := call(t, "GET", g.url+"/api/auth/x", "", "Origin", origin)
		if v := bad.Header.Get("Access-Control-Allow-Origin"); v != "" {
			t.Errorf("%s: %q", origin, v)
		}
		preflight := call(t, "OPTIONS", g.url+"/api/users/me", "", "Origin", origin, "Access-Control-Request-Method", "GET")
		if v := preflight.Header.Get("Access-Control-Allow-Methods"); v != "" {
			t.Errorf("preflight from %s: %q", origin, v)
		}
	}
	preflight := call(t, "OPTIONS", g.url+"/api/users/me", "", "Origin", "https://app.nextai-agent.com",
		"Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "authorization")
	if preflight.StatusCode != 204 || !strings.Contains(preflight.Header.Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("preflight: %d %v", preflight.StatusCode, preflight.Header)
	}
	if v := preflight.Header.Get("Access-Control-Allow-Credentials"); v != "" {
		t.Errorf("cookies are allowed: %q", v)
	}
}

func TestABodyOverTheLimitIsRefused(t *testing.T) {
	g := start(t, service(t, "users").URL, service(t, "memories").URL, nil)
	exact := call(t, "POST", g.url+"/api/auth/sign-up", strings.Repeat("x", proxy.BodyLimit)).seen(t)
	if len(exact.Body) != proxy.BodyLimit {
		t.Errorf("%d bytes of the largest body came through", len(exact.Body))
	}
	call(t, "POST", g.url+"/api/auth/sign-up", strings.Repeat("x", proxy.BodyLimit+1)).refused(t, 413, "payload_too_large")

	unannounced := struct{ io.Reader }{strings.NewReader(strings.Repeat("x", proxy.BodyLimit+1))}
	request, err := http.NewRequest("POST", g.url+"/api/auth/sign-up", unannounced)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(response.Body)
	answer{response, string(body)}.refused(t, 413, "payload_too_large")
}

func TestAServiceThatIsDownIsABadGateway(t *testing.T) {
	down := httptest.NewServer(http.NotFoundHandler())
	down.Close()
	g := start(t, down.URL, down.URL, nil)
	call(t, "GET", g.url+"/api/auth/x", "").refused(t, 502, "upstream_unavailable")
	if !strings.Contains(g.log.String(), `"upstream":"user-service"`) {
		t.Errorf("the log does not name it:\n%s", g.log.String())
	}
}

func TestAServiceThatBreaksOffIsABadGateway(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		connection, _, _ := http.NewResponseController(w).Hijack()
		_ = connection.Close()
	}))
	defer upstream.Close()
	g := start(t, upstream.URL, upstream.URL, nil)
	call(t, "POST", g.url+"/api/auth/x", "{}").refused(t, 502, "upstream_unavailable")
}

func TestAServiceThatIsSlowIsAGatewayTimeout(t *testing.T) {
	release := make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer upstream.Close()
	defer close(release)
	for name, timeouts := range map[string]proxy.Timeouts{
		"until the response begins": {Connect: time.Second, Response: 50 * time.Millisecond, Whole: time.Minute},
		"whole":                     {Connect: time.Second, Response: time.Minute, Whole: 50 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			g := startWith(t, upstream.URL, upstream.URL, nil, timeouts)
			call(t, "GET", g.url+"/api/auth/x", "").refused(t, 504, "upstream_timeout")
		})
	}
}

func TestHealthAsksNoStore(t *testing.T) {
	nowhere := map[string]string{"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/x", "REDIS_URL": "redis://127.0.0.1:1"}
	g := start(t, "http://127.0.0.1:1", "http://127.0.0.1:1", nowhere)
	live := call(t, "GET", g.url+"/health", "")
	if live.StatusCode != 200 || strings.TrimSpace(live.body) != `{"service":"api-gateway","status":"ok","version":"1.2.3"}` {
		t.Errorf("%d %s", live.StatusCode, live.body)
	}
}

func TestReadinessShowsStoresThatAreAwayAndDecidesByNoneThatRequestsDoNotNeed(t *testing.T) {
	nowhere := map[string]string{"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/x", "REDIS_URL": "redis://127.0.0.1:1"}
	users := service(t, "users")
	g := start(t, users.URL, users.URL, nowhere)
	call(t, "GET", g.url+"/api/auth/x", "").seen(t)
	ready := call(t, "GET", g.url+"/health/ready", "")
	if ready.StatusCode != 200 || strings.Count(ready.body, `"error: `) != 2 || !strings.Contains(ready.body, `"status":"ok"`) {
		t.Errorf("%d %s", ready.StatusCode, ready.body)
	}
}

func TestReadyAsksBothStores(t *testing.T) {
	g := start(t, "http://127.0.0.1:1", "http://127.0.0.1:1", nil)
	ready := call(t, "GET", g.url+"/health/ready", "")
	if ready.StatusCode != 200 || strings.TrimSpace(ready.body) != `{"status":"ok","checks":{"postgres":"ok","redis":"ok"}}` {
		t.Errorf("%d %s", ready.StatusCode, ready.body)
	}
}

func TestAStoreThatHangsIsShownWithinItsTime(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	g := start(t, "http://127.0.0.1:1", "http://127.0.0.1:1", map[string]string{
		"DATABASE_URL": "postgresql://x@" + silent.Addr().String() + "/x?sslmode=disable", "REDIS_URL": "redis://" + silent.Addr().String(),
	})
	began := time.Now()
	ready := call(t, "GET", g.url+"/health/ready", "")
	if ready.StatusCode != 200 || strings.Count(ready.body, "no answer within 2 s") != 2 || time.Since(began) > 3*time.Second {
		t.Errorf("%d %s after %v", ready.StatusCode, ready.body, time.Since(began))
	}
}

func TestASilentRedisCostsARequestLessThanTwoSeconds(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	users := service(t, "users")
	g := start(t, users.URL, users.URL, map[string]string{"REDIS_URL": "redis://" + silent.Addr().String()})
	var wait sync.WaitGroup
	for range 30 { // more than the pool has connections
		wait.Go(func() {
			began := time.Now()
			if got := call(t, "GET", g.url+"/api/auth/x", ""); got.StatusCode != 200 || time.Since(began) > 2*time.Second {
				t.Errorf("%d after %v", got.StatusCode, time.Since(began))
			}
		})
	}
	wait.Wait()
	began := time.Now()
	if got := call(t, "GET", g.url+"/api/auth/x", ""); got.StatusCode != 200 || time.Since(began) > 500*time.Millisecond {
		t.Errorf("one that comes later waited %v", time.Since(began))
	}
}

func TestABodyThatComesTooSlowlyIsRefused(t *testing.T) {
	users := service(t, "users")
	timeouts := proxy.DefaultTimeouts
	timeouts.Body = 200 * time.Millisecond
	g := startWith(t, users.URL, users.URL, nil, timeouts)
	connection, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	_, _ = io.WriteString(connection, "POST /api/auth/x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
	began := time.Now()
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(response.Body)
	answer{response, string(body)}.refused(t, 408, "request_timeout")
	if !response.Close || time.Since(began) > 3*time.Second {
		t.Errorf("the connection is kept (%v), or it took %v", !response.Close, time.Since(began))
	}
}

func TestTheLimitsDecreaseInwards(t *testing.T) {
	own := proxy.DefaultTimeouts
	for way, sum := range map[string]struct{ inner, outer time.Duration }{
		"the limiter's Redis and a service's answer": {limits.Optional + own.Whole, limits.Page},
		"reaching a service and its work":            {own.Connect + limits.Request, own.Whole},
		"its answer's begin":                         {own.Response, own.Whole + 1},
		"a stream's silence":                         {own.Idle, limits.PageIdle},
	} {
		if sum.inner >= sum.outer {
			t.Errorf("%s: %s is not less than %s", way, sum.inner, sum.outer)
		}
	}
}

// keptClient asks over one connection that it keeps and never looks at between two answers, as many clients do. It goes to the other
// gateway when an answer says that the connection ends.
func keptClient(t *testing.T, addresses [2]string, asked *atomic.Int64, done <-chan struct{}) {
	pace := time.NewTicker(5 * time.Millisecond)
	defer pace.Stop()
	for _, address := range addresses {
		connection, err := net.Dial("tcp", address)
		if err != nil {
			t.Error(err)
			return
		}
		reader := bufio.NewReader(connection)
		for open := true; open; {
			if _, err := io.WriteString(connection, "GET /api/auth/x HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				t.Errorf("a request was lost: %v", err)
				return
			}
			response, err := http.ReadResponse(reader, nil)
			if err != nil {
				t.Errorf("a request was lost: %v", err)
				return
			}
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
			asked.Add(1)
			open = !response.Close
			select {
			case <-done:
				open = false
			case <-pace.C:
			}
		}
		_ = connection.Close()
	}
}

func TestNoRequestOnAKeptConnectionIsLostWhenAGatewayEnds(t *testing.T) {
	users := service(t, "users")
	limits := map[string]string{"RATE_LIMIT_RPS": "100000", "RATE_LIMIT_BURST": "100000"}
	var (
		addresses [2]string
		stops     [2]context.CancelFunc
		served    [2]chan error
		asked     atomic.Int64
		wait      sync.WaitGroup
	)
	for i := range 2 {
		g := start(t, users.URL, users.URL, limits)
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var ctx context.Context
		ctx, stops[i] = context.WithCancel(t.Context())
		addresses[i], served[i] = listener.Addr().String(), make(chan error, 1)
		go func() { served[i] <- g.Serve(ctx, listener) }()
	}
	done := make(chan struct{})
	for range 20 {
		wait.Go(func() { keptClient(t, addresses, &asked, done) })
	}
	until := func(more int64) {
		for want := asked.Load() + more; asked.Load() < want && !t.Failed(); time.Sleep(time.Millisecond) {
		}
	}
	until(200)
	stops[0]()
	if err := <-served[0]; err != nil {
		t.Error(err)
	}
	until(200)
	close(done)
	wait.Wait()
	stops[1]()
	<-served[1]
}

func TestTwoGatewaysCountOneClientTogether(t *testing.T) {
	limits := map[string]string{"RATE_LIMIT_RPS": "1", "RATE_LIMIT_BURST": "20"}
	users := service(t, "users")
	gateways := []gateway{start(t, users.URL, users.URL, limits), start(t, users.URL, users.URL, limits)}
	authorization := token(t, newUser(), time.Hour)
	var (
		let, refused atomic.Int64
		wait         sync.WaitGroup
	)
	began := time.Now()
	for i := range 60 {
		wait.Go(func() {
			// The same user from many addresses is one client.
			switch got := call(t, "GET", gateways[i%2].url+"/api/users/me", "", "Authorization", authorization); got.StatusCode {
			case 200:
				let.Add(1)
			case 429:
				refused.Add(1)
			}
		})
	}
	wait.Wait()
	most := 20 + int64(time.Since(began)/time.Second) + 1
	if let.Load() < 20 || let.Load() > most || let.Load()+refused.Load() != 60 {
		t.Errorf("%d let in, %d refused; want 20 to %d of 60 let in", let.Load(), refused.Load(), most)
	}
	for _, g := range gateways {
		if strings.Contains(g.log.String(), "rate limit is off") {
			t.Errorf("Redis was not asked:\n%s", g.log.String())
		}
	}
	last := call(t, "GET", gateways[0].url+"/api/users/me", "", "Authorization", authorization)
	last.refused(t, 429, "rate_limited")
	if last.Header.Get("Retry-After") != "1" || last.Header.Get("RateLimit-Limit") != "20" || last.Header.Get("RateLimit-Remaining") != "0" || last.Header.Get("RateLimit-Reset") == "" {
		t.Errorf("headers: %v", last.Header)
	}
	if other := call(t, "GET", gateways[0].url+"/api/users/me", "", "Authorization", token(t, newUser(), time.Hour)); other.StatusCode != 200 {
		t.Errorf("another user: %d", other.StatusCode)
	}
}

func TestAStrangerCannotBecomeANewClientByAHeaderOrABadToken(t *testing.T) {
	users := service(t, "users")
	g := start(t, users.URL, users.URL, map[string]string{"RATE_LIMIT_RPS": "1", "RATE_LIMIT_BURST": "3"})
	client := address()
	var statuses []int
	for range 6 {
		forged := address() + ", " + client
		statuses = append(statuses, call(t, "GET", g.url+"/api/auth/x", "", "X-Forwarded-For", forged, "Authorization", "Bearer "+newUser()).StatusCode)
	}
	if statuses[2] != 200 || statuses[4] != 429 {
		t.Errorf("got %v", statuses)
	}
}

func TestWithoutRedisRequestsAreLetInAndTheLogSaysSoOnce(t *testing.T) {
	users := service(t, "users")
	g := start(t, users.URL, users.URL, map[string]string{"REDIS_URL": "redis://127.0.0.1:1", "RATE_LIMIT_BURST": "1"})
	for range 5 {
		if got := call(t, "GET", g.url+"/api/auth/x", ""); got.StatusCode != 200 {
			t.Fatalf("%d %s", got.StatusCode, got.body)
		}
	}
	if n := strings.Count(g.log.String(), "rate limit is off"); n != 1 {
		t.Errorf("said %d times:\n%s", n, g.log.String())
	}
}

func TestALogLineHasThePlatformsKeysAndNoQueryOrToken(t *testing.T) {
	g := start(t, service(t, "users").URL, service(t, "memories").URL, nil)
	user := newUser()
	authorization := token(t, user, time.Hour)
	call(t, "GET", g.url+"/api/memories/search?q=private-thought", "", "Authorization", authorization).seen(t)
	for line := range strings.Lines(g.log.String()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("not JSON: %s", line)
		}
		for _, key := range []string{"time", "level", "msg", "service", "requestId"} {
			if entry[key] == nil {
				t.Errorf("no %s in %s", key, line)
			}
		}
		if entry["msg"] == "request" && (entry["status"] != 200.0 || entry["path"] != "/api/memories/search" || entry["userId"] != user || entry["level"] != "info") {
			t.Errorf("got %s", line)
		}
	}
	if text := g.log.String(); strings.Contains(text, "private-thought") || strings.Contains(text, strings.TrimPrefix(authorization, "Bearer ")) {
		t.Errorf("what is private is logged:\n%s", text)
	}
}

func TestShutdownFinishesWhatIsUnderWay(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		_, _ = io.WriteString(w, "done")
	}))
	defer upstream.Close()
	g := start(t, upstream.URL, upstream.URL, nil)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- g.Serve(ctx, listener) }()
	url, answered := "http://"+listener.Addr().String(), make(chan string, 1)
	go func() {
		response, err := http.Get(url + "/api/auth/x")
		if err != nil {
			answered <- err.Error()
			return
		}
		defer func() { _ = response.Body.Close() }()
		body, _ := io.ReadAll(response.Body)
		answered <- string(body)
	}()
	<-arrived
	stop()
	for { // no more connections are taken
		connection, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			break
		}
		_ = connection.Close()
	}
	select {
	case err := <-served:
		t.Fatalf("ended before the request did: %v", err)
	default:
	}
	close(release)
	if body := <-answered; body != "done" {
		t.Errorf("the request under way got %q", body)
	}
	if err := <-served; err != nil {
		t.Errorf("not a clean end: %v", err)
	}
}
