// Package auth finds out who sent a request, from the access token that user-service signed.
package auth

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	issuer   = "nextai-agent"
	audience = "nextai-agent"
	// Clocks of two machines differ a little; a token is not refused for that.
	leeway = 10 * time.Second
)

// Why a token was not accepted.
var (
	ErrMissing = errors.New("no access token")
	ErrExpired = errors.New("the access token has expired")
	ErrInvalid = errors.New("the access token is not valid")
)

var uuid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// Verifier checks access tokens.
type Verifier struct {
	secret []byte
	parser *jwt.Parser
}

// NewVerifier makes a verifier of HS256 tokens. The algorithm is pinned: a token does not choose how it is checked.
func NewVerifier(secret []byte) *Verifier {
	return &Verifier{secret, jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithIssuer(issuer),
		jwt.WithAudience(audience),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithLeeway(leeway),
	)}
}

// User returns the id in the request's access token, or ErrMissing, ErrExpired or ErrInvalid.
func (v *Verifier) User(r *http.Request) (string, error) {
	token, err := bearer(r)
	if err != nil {
		return "", err
	}
	var claims jwt.RegisteredClaims
	_, err = v.parser.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return v.secret, nil })
	switch {
	// A token can be expired and forged at once: only a good signature makes it "expired".
	case errors.Is(err, jwt.ErrTokenExpired) && !errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return "", ErrExpired
	case err != nil, !uuid.MatchString(claims.Subject):
		return "", ErrInvalid
	}
	return claims.Subject, nil
}

func bearer(r *http.Request) (string, error) {
	headers := r.Header.Values("Authorization")
	if len(headers) == 0 {
		return "", ErrMissing
	}
	scheme, token, found := strings.Cut(headers[0], " ")
	if len(headers) > 1 || !found || !strings.EqualFold(scheme, "Bearer") {
		return "", ErrInvalid
	}
	return strings.TrimSpace(token), nil
}

// Caller is who sent a request: UserID when Err is nil.
type Caller struct {
	UserID string
	Err    error
}

type key struct{}

// Middleware puts the Caller into the context. It refuses nobody: a public route takes anyone, and what is refused is counted first.
func (v *Verifier) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, err := v.User(r)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, Caller{user, err})))
	})
}

// From returns the Caller that Middleware found.
func From(ctx context.Context) Caller {
	caller, found := ctx.Value(key{}).(Caller)
	if !found {
		return Caller{Err: ErrMissing}
	}
	return caller
}
