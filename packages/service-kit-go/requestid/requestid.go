// Package requestid gives every request an id that goes through all services and logs.
package requestid

import (
	"context"
	"crypto/rand"
	"net/http"
	"regexp"
)

// Header carries the id, in and out.
const Header = "X-Request-Id"

type key struct{}

// An id goes into logs and into other services' headers, so a caller's own is taken only in this form.
var acceptable = regexp.MustCompile(`^[A-Za-z0-9._-]{8,64}$`)

// Middleware takes the caller's id, or makes one, and puts it into the context, the request and the response.
func Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(Header)
		if !acceptable.MatchString(id) {
			id = rand.Text()
		}
		r.Header.Set(Header, id)
		w.Header().Set(Header, id)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, id)))
	})
}

// From returns the id of the request that ctx belongs to, or "".
func From(ctx context.Context) string {
	id, _ := ctx.Value(key{}).(string)
	return id
}
