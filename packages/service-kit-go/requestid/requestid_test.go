package requestid

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The web server and the service kits take the same form (their tests say so), so an id stays one on its way through all.
func TestAnIdIsKeptInOneFormAndMadeInPlaceOfAnyOther(t *testing.T) {
	answered := func(id string) string {
		request := httptest.NewRequest("GET", "/", nil)
		request.Header.Set(Header, id)
		answer := httptest.NewRecorder()
		Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(answer, request)
		return answer.Header().Get(Header)
	}
	for _, id := range []string{"Caller-1", "a.b_c-d1", strings.Repeat("x", 64)} {
		if got := answered(id); got != id {
			t.Errorf("%q became %q", id, got)
		}
	}
	for _, id := range []string{"", "short-1", strings.Repeat("x", 65), "with a space", "with:colon", "línea-nueva-1"} {
		if got := answered(id); got == id || !acceptable.MatchString(got) {
			t.Errorf("%q became %q", id, got)
		}
	}
}
