// Package reply writes the gateway's own answers: JSON, and the platform's error body.
package reply

import (
	"encoding/json"
	"net/http"

	"github.com/nextai-agent/platform/services/api-gateway/internal/requestid"
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

// Error writes {"error":{code,message,requestId}}.
func Error(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	JSON(w, status, map[string]problem{"error": {code, message, requestid.From(r.Context())}})
}
