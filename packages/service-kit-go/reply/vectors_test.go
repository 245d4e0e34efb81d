package reply

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
)

func TestAStatusHasTheCodeAndTheHeaderOfEveryStack(t *testing.T) {
	text, err := os.ReadFile("../../contract/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Errors     map[int]string
		RetryAfter map[int]string
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(codes, vectors.Errors) {
		t.Errorf("got  %v\nwant %v", codes, vectors.Errors)
	}
	for status := range codes {
		answer := httptest.NewRecorder()
		Refuse(answer, httptest.NewRequest(http.MethodGet, "/", http.NoBody), status, "Come again.")
		if got := answer.Header().Get("Retry-After"); got != vectors.RetryAfter[status] {
			t.Errorf("a %d says Retry-After: %q, want %q", status, got, vectors.RetryAfter[status])
		}
	}
}
