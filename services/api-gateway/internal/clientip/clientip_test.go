package clientip_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/nextai-agent/platform/services/api-gateway/internal/clientip"
)

func TestForwardedForIsBelievedOnlyFromTrustedProxies(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, test := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"no proxy", "203.0.113.7:1", nil, "203.0.113.7"},
		{"a stranger's header", "203.0.113.7:1", []string{"1.2.3.4"}, "203.0.113.7"},
		{"our proxy", "10.1.1.1:1", []string{"203.0.113.7"}, "203.0.113.7"},
		{"a client that forges the front", "10.1.1.1:1", []string{"1.2.3.4, 203.0.113.7"}, "203.0.113.7"},
		{"two of our proxies", "10.1.1.1:1", []string{"1.2.3.4, 203.0.113.7, 10.2.2.2"}, "203.0.113.7"},
		{"several headers", "10.1.1.1:1", []string{"1.2.3.4", "203.0.113.7", "10.2.2.2"}, "203.0.113.7"},
		{"our proxy says nothing", "10.1.1.1:1", nil, "10.1.1.1"},
		{"garbage", "10.1.1.1:1", []string{"203.0.113.7, x"}, "10.1.1.1"},
		{"IPv6", "[fd00::1]:1", []string{"2001:db8::1"}, "2001:db8::1"},
		{"IPv4 in IPv6", "[::ffff:10.1.1.1]:1", []string{"::ffff:203.0.113.7"}, "203.0.113.7"},
		{"only ours", "10.1.1.1:1", []string{"10.3.3.3"}, "10.3.3.3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			request := httptest.NewRequest("GET", "/", nil)
			request.RemoteAddr = test.peer
			request.Header["X-Forwarded-For"] = test.forwarded
			var got netip.Addr
			handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = clientip.From(r.Context()) })
			clientip.Middleware(trusted)(handler).ServeHTTP(httptest.NewRecorder(), request)
			if got.String() != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
