package auth_test

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/nextai-agent/platform/services/api-gateway/internal/auth"
)

const user = "0b5a8d2e-7c1f-4a3b-9d4e-5f6a7b8c9d0e"

var secret = []byte(strings.Repeat("s", 32))

func claims(change func(jwt.MapClaims)) jwt.MapClaims {
	now := time.Now()
	all := jwt.MapClaims{
		"sub": user, "email": "a@example.com", "name": "A", "iss": "nextai-agent", "aud": "nextai-agent",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	change(all)
	return all
}

func signed(t *testing.T, method jwt.SigningMethod, key any, change func(jwt.MapClaims)) string {
	t.Helper()
	token, err := jwt.NewWithClaims(method, claims(change)).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func verify(headers ...string) (string, error) {
	request := httptest.NewRequest("GET", "/", nil)
	for _, header := range headers {
		request.Header.Add("Authorization", header)
	}
	return auth.NewVerifier(secret).User(request)
}

func TestAGoodTokenNamesItsUser(t *testing.T) {
	for _, scheme := range []string{"Bearer ", "bearer "} {
		got, err := verify(scheme + signed(t, jwt.SigningMethodHS256, secret, func(jwt.MapClaims) {}))
		if err != nil || got != user {
			t.Errorf("%q: %q, %v", scheme, got, err)
		}
	}
}

func TestABadTokenIsRefused(t *testing.T) {
	keep := func(jwt.MapClaims) {}
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := signed(t, jwt.SigningMethodHS256, secret, keep)
	set := func(name string, value any) string {
		return signed(t, jwt.SigningMethodHS256, secret, func(c jwt.MapClaims) { c[name] = value })
	}
	without := func(name string) string {
		return signed(t, jwt.SigningMethodHS256, secret, func(c jwt.MapClaims) { delete(c, name) })
	}
	past := time.Now().Add(-time.Minute).Unix()
	for name, test := range map[string]struct {
		headers []string
		want    error
	}{
		"none":              {nil, auth.ErrMissing},
		"empty":             {[]string{"Bearer "}, auth.ErrInvalid},
		"another scheme":    {[]string{"Basic " + good}, auth.ErrInvalid},
		"two headers":       {[]string{"Bearer " + good, "Bearer " + good}, auth.ErrInvalid},
		"garbage":           {[]string{"Bearer a.b.c"}, auth.ErrInvalid},
		"algorithm none":    {[]string{"Bearer " + signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, keep)}, auth.ErrInvalid},
		"algorithm RS256":   {[]string{"Bearer " + signed(t, jwt.SigningMethodRS256, private, keep)}, auth.ErrInvalid},
		"algorithm HS512":   {[]string{"Bearer " + signed(t, jwt.SigningMethodHS512, secret, keep)}, auth.ErrInvalid},
		"another key":       {[]string{"Bearer " + signed(t, jwt.SigningMethodHS256, []byte(strings.Repeat("x", 32)), keep)}, auth.ErrInvalid},
		"expired":           {[]string{"Bearer " + set("exp", past)}, auth.ErrExpired},
		"never expires":     {[]string{"Bearer " + without("exp")}, auth.ErrInvalid},
		"another issuer":    {[]string{"Bearer " + set("iss", "other")}, auth.ErrInvalid},
		"no issuer":         {[]string{"Bearer " + without("iss")}, auth.ErrInvalid},
		"another audience":  {[]string{"Bearer " + set("aud", "other")}, auth.ErrInvalid},
		"no audience":       {[]string{"Bearer " + without("aud")}, auth.ErrInvalid},
		"issued tomorrow":   {[]string{"Bearer " + set("iat", time.Now().Add(24*time.Hour).Unix())}, auth.ErrInvalid},
		"not yet valid":     {[]string{"Bearer " + set("nbf", time.Now().Add(time.Hour).Unix())}, auth.ErrInvalid},
		"user is no uuid":   {[]string{"Bearer " + set("sub", "admin")}, auth.ErrInvalid},
		"user with newline": {[]string{"Bearer " + set("sub", user+"\n")}, auth.ErrInvalid},
		"no user":           {[]string{"Bearer " + without("sub")}, auth.ErrInvalid},
		"expired and forged": {[]string{"Bearer " + signed(t, jwt.SigningMethodHS256, []byte(strings.Repeat("x", 32)),
			func(c jwt.MapClaims) { c["exp"] = past })}, auth.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := verify(test.headers...); !errors.Is(err, test.want) || got != "" {
				t.Errorf("got %q, %v, want %v", got, err, test.want)
			}
		})
	}
}
