// Package reply writes the gateway's own answers: JSON, and the platform's error body.
package reply

import (
	"encoding/json"
	"net/http"

	"github.com/nextai-agent/platform/packages/service-kit-go/requestid"
)

type problem struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	RequestID string `json:"requestId"`
}

// JSON writes a document.
func JSON(w http.ResponseWriter, status int, document any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(document) // the client has gone: nobody is left to tell
}

// codes are those of statuses that mean the same wherever they come from (packages/contract).
var codes = map[int]string{
	http.StatusBadRequest:            "bad_request",
	http.StatusNotFound:              "not_found",
	http.StatusMethodNotAllowed:      "method_not_allowed",
	http.StatusRequestTimeout:        "request_timeout",
	http.StatusRequestEntityTooLarge: "payload_too_large",
	http.StatusUnsupportedMediaType:  "unsupported_media_type",
	http.StatusUnprocessableEntity:   "validation",
	http.StatusInternalServerError:   "internal_error",
	http.StatusServiceUnavailable:    "unavailable",
}

// Refuse writes an error with the code of its status.
func Refuse(w http.ResponseWriter, r *http.Request, status int, message string) {
	Error(w, r, status, codes[status], message)
}

// Error writes {"error":{code,message,requestId}}. What is unavailable says when to come again.
func Error(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	JSON(w, status, map[string]problem{"error": {code, message, requestid.From(r.Context())}})
}
