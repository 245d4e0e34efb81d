package request_test

import (
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/nextai-agent/platform/packages/service-kit-go/limits"
	"github.com/nextai-agent/platform/packages/service-kit-go/reply"
	"github.com/nextai-agent/platform/packages/service-kit-go/request"
	"github.com/nextai-agent/platform/packages/service-kit-go/service"
)

type vectors struct {
	Users  struct{ Accepted, Refused []string }
	Served []struct {
		Method, Path, Body string
		Status             int
	}
	Refusals []struct {
		Method, Path, Type, Hex, Code, Message, Allow string
		Status                                        int
	}
}

func read(t *testing.T) vectors {
	t.Helper()
	text, err := os.ReadFile("../../contract/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var found vectors
	if err := json.Unmarshal(text, &found); err != nil {
		t.Fatal(err)
	}
	return found
}

type failure struct {
	Error struct{ Code, Message string }
}

// things takes {"name": text}, and needs one.
func things(w http.ResponseWriter, r *http.Request) {
	var thing struct{ Name string }
	if !request.JSON(w, r, &thing) {
		return
	}
	if thing.Name == "" {
		reply.Refuse(w, r, http.StatusUnprocessableEntity, "name is required")
		return
	}
	reply.JSON(w, http.StatusCreated, thing)
}

func handler() http.Handler {
	return service.Handler("some-service", service.Parts{Routes: map[string]http.HandlerFunc{
		"GET /things":  func(w http.ResponseWriter, _ *http.Request) { reply.JSON(w, http.StatusOK, []string{}) },
		"POST /things": things,
	}}, slog.New(slog.DiscardHandler))
}

func ask(t *testing.T, method, path, kind, body string) (*httptest.ResponseRecorder, failure) {
	t.Helper()
	asked := httptest.NewRequest(method, path, strings.NewReader(body))
	if kind != "" {
		asked.Header.Set("Content-Type", kind)
	}
	answer := httptest.NewRecorder()
	handler().ServeHTTP(answer, asked)
	var said failure
	if answer.Code >= 400 {
		if err := json.Unmarshal(answer.Body.Bytes(), &said); err != nil {
			t.Fatalf("%s: %v", answer.Body, err)
		}
	}
	return answer, said
}

func TestWhatCanBeServedIsServedAsInEveryStack(t *testing.T) {
	server := httptest.NewServer(handler())
	defer server.Close()
	for _, vector := range read(t).Served {
		asked, err := http.NewRequest(vector.Method, server.URL+vector.Path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(asked)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != vector.Status || strings.TrimSpace(string(body)) != vector.Body {
			t.Errorf("%+v: %d %s %v", vector, answer.StatusCode, body, err)
		}
		if kind := answer.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") {
			t.Errorf("%+v: Content-Type %q", vector, kind)
		}
	}
}

func TestWhatCannotBeServedIsRefusedAsInEveryStack(t *testing.T) {
	for _, vector := range read(t).Refusals {
		body, err := hex.DecodeString(vector.Hex)
		if err != nil {
			t.Fatal(err)
		}
		answer, said := ask(t, vector.Method, vector.Path, vector.Type, string(body))
		if answer.Code != vector.Status || said.Error.Code != vector.Code || answer.Header().Get("Allow") != vector.Allow {
			t.Errorf("%+v: %d %v %s", vector, answer.Code, answer.Header(), answer.Body)
		}
		if vector.Message != "" && said.Error.Message != vector.Message {
			t.Errorf("%+v: %s", vector, said.Error.Message)
		}
		if answer.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%+v: %v", vector, answer.Header())
		}
	}
}

func TestABodyIsReadUpToItsLimit(t *testing.T) {
	most := strings.Repeat("x", limits.Body-len(`{"name":""}`))
	if answer, _ := ask(t, "POST", "/things", "application/json; charset=utf-8", `{"name":"`+most+`"}`); answer.Code != http.StatusCreated {
		t.Errorf("got %d %s", answer.Code, answer.Body)
	}
	answer, said := ask(t, "POST", "/things", "application/json", `{"name":"`+most+`x"}`)
	if answer.Code != http.StatusRequestEntityTooLarge || said.Error.Code != "payload_too_large" {
		t.Errorf("got %d %s", answer.Code, answer.Body)
	}
}

func TestTheUserIsNamedInTheOneFormThatEveryStackTakes(t *testing.T) {
	users := read(t).Users
	named := func(id string) (string, int) {
		asked, answer := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		asked.Header.Set("X-User-Id", id)
		user, _ := request.User(answer, asked)
		return user, answer.Code
	}
	for _, id := range users.Accepted {
		if user, _ := named(id); user != id {
			t.Errorf("%q is read as %q", id, user)
		}
	}
	for _, id := range users.Refused {
		if user, status := named(id); user != "" || status != http.StatusUnauthorized {
			t.Errorf("%q is read as %q, %d", id, user, status)
		}
	}
}
