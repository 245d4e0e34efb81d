package proxy

import (
	"net/http"
	"path"
	"regexp"
	"strings"

	"github.com/nextai-agent/platform/packages/service-kit-go/reply"
)

// Encoded once or twice, a dot, slash, backslash or NUL in a path means one thing to the gateway and another to a service behind it.
var (
	encoded      = regexp.MustCompile(`(?i)%(25)*(2e|2f|5c|00)`)
	unprintables = regexp.MustCompile(`[\x00-\x1f\x7f\\]`)
)

// PlainPaths refuses paths that could be read in two ways, so that the route that was checked is the one that is reached.
// They are refused and not cleaned: no client of ours sends them.
func PlainPaths(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !plain(r) {
			reply.Refuse(w, r, http.StatusBadRequest, "The path is not in its plain form.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func plain(r *http.Request) bool {
	decoded := r.URL.Path
	if !strings.HasPrefix(decoded, "/") || unprintables.MatchString(decoded) || encoded.MatchString(r.URL.EscapedPath()) {
		return false
	}
	clean := path.Clean(decoded)
	if clean != "/" && strings.HasSuffix(decoded, "/") {
		clean += "/"
	}
	return clean == decoded
}
