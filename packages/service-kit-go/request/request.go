// Package request reads what a request says, and refuses as every stack does what cannot be read.
package request

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"regexp"
	"unicode/utf8"

	"github.com/nextai-agent/platform/packages/service-kit-go/limits"
	"github.com/nextai-agent/platform/packages/service-kit-go/reply"
)

var uuid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// User is the id of the user whose access token the gateway verified; only the gateway reaches a service. Where there is none, the request
// has been answered with 401.
func User(w http.ResponseWriter, r *http.Request) (string, bool) {
	values := r.Header.Values("X-User-Id")
	if len(values) == 1 && uuid.MatchString(values[0]) {
		return values[0], true
	}
	reply.Error(w, r, http.StatusUnauthorized, "unauthenticated", "Sign in first.")
	return "", false
}

// JSON reads the body, one JSON document in UTF-8 of limits.Body bytes at most, into a pointer. Fields that it does not have are ignored.
// Where it cannot be read, the request has been answered: with 400, 408, 413, 415, or 422 for a value of another type.
func JSON(w http.ResponseWriter, r *http.Request, into any) bool {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		reply.Refuse(w, r, http.StatusUnsupportedMediaType, "The body must be application/json.")
		return false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limits.Body))
	if err != nil {
		unread(w, r, err)
		return false
	}
	// encoding/json would put replacement characters in place of what is no UTF-8.
	if !utf8.Valid(body) || !json.Valid(body) {
		reply.Refuse(w, r, http.StatusBadRequest, "The body is not valid JSON.")
		return false
	}
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(into); err != nil {
		var wrong *json.UnmarshalTypeError
		message := "The body is not what is expected."
		if errors.As(err, &wrong) && wrong.Field != "" {
			message = wrong.Field + " must be another type than " + wrong.Value
		}
		reply.Refuse(w, r, http.StatusUnprocessableEntity, message)
		return false
	}
	return true
}

func unread(w http.ResponseWriter, r *http.Request, err error) {
	var (
		large   *http.MaxBytesError
		network net.Error
	)
	w.Header().Set("Connection", "close")
	switch {
	case errors.As(err, &large):
		reply.Refuse(w, r, http.StatusRequestEntityTooLarge, "The body is too large.")
	case errors.As(err, &network) && network.Timeout():
		reply.Refuse(w, r, http.StatusRequestTimeout, "The request did not arrive in time.")
	default:
		panic(http.ErrAbortHandler) // the client broke off
	}
}
