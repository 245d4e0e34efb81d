package service_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextai-agent/platform/packages/service-kit-go/contract"
	"github.com/nextai-agent/platform/packages/service-kit-go/limits"
	"github.com/nextai-agent/platform/packages/service-kit-go/service"
	"github.com/nextai-agent/platform/packages/service-kit-go/servicetest"
)

const document = `{"service": "example-service", "port": 8080, "variables": [
	{"name": "HOST", "type": "string", "default": "127.0.0.1"},
	{"name": "PORT", "type": "port", "default": "8080"},
	{"name": "LOG_LEVEL", "type": "enum", "values": ["debug", "info", "warn", "error"], "default": "info"},
	{"name": "LOG_FORMAT", "type": "enum", "values": ["json", "text"], "default": "json"},
	{"name": "GREETING", "type": "string", "required": true, "description": "what it says"}]}`

func build(values contract.Values, _ *slog.Logger) (service.Parts, error) {
	return service.Parts{Routes: map[string]http.HandlerFunc{
		"GET /greeting": func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, values["GREETING"]) },
		"GET /slow":     func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	}}, nil
}

// TestMain is the example service itself, where a test has started it as a process.
func TestMain(m *testing.M) {
	if os.Getenv("EXAMPLE") != "" {
		service.Main([]byte(document), build)
		return
	}
	m.Run()
}

func TestWrongVariablesAreNamedInOneLine(t *testing.T) {
	code, said := servicetest.Ended(t, []string{"EXAMPLE=1", "PORT=http"}, os.Args[0])
	want := "example-service: cannot start: PORT must be a port number, 1 to 65535; GREETING is required (what it says)\n"
	if code != 2 || said != want {
		t.Errorf("exit %d: %q", code, said)
	}
}

func TestAPortThatIsTakenIsAFailure(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	code, said := servicetest.Ended(t, []string{"EXAMPLE=1", "GREETING=hello", "PORT=" + port}, os.Args[0])
	if code != 1 || !strings.HasPrefix(said, "example-service: cannot start: listen tcp") {
		t.Errorf("exit %d: %q", code, said)
	}
}

func TestItServesAnswersItsHealthCheckAndEndsOnSIGTERM(t *testing.T) {
	port := servicetest.FreePort(t)
	command := exec.Command(os.Args[0])
	command.Env = []string{"EXAMPLE=1", "GREETING=hello", "PORT=" + port}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || !strings.Contains(lines.Text(), `"msg":"listening"`) {
		t.Fatalf("first line: %s", lines.Text())
	}
	for path, want := range map[string]int{"": 0, "/health/ready": 0, "/nothing": 1} {
		if code, said := servicetest.Ended(t, []string{"EXAMPLE=1", "PORT=" + port}, os.Args[0], "-healthcheck", path); code != want {
			t.Errorf("-healthcheck %s: exit %d %s", path, code, said)
		}
	}
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() { // to the end of the output
	}
	if code := servicetest.Code(command.Wait()); code != 0 {
		t.Errorf("exit %d after SIGTERM", code)
	}
}

func handler(t *testing.T) http.Handler {
	t.Helper()
	parts, err := build(contract.Values{"GREETING": "hello"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return service.Handler("example-service", parts, slog.New(slog.NewTextHandler(io.Discard, nil)))
}

func TestWhatIsNotThereIsRefusedWithTheErrorBodyOfEveryStack(t *testing.T) {
	for _, wrong := range []struct {
		method, path, code, allow string
		status                    int
	}{
		{"GET", "/nothing", "not_found", "", http.StatusNotFound},
		{"POST", "/greeting", "method_not_allowed", "GET, HEAD", http.StatusMethodNotAllowed},
	} {
		answer := httptest.NewRecorder()
		handler(t).ServeHTTP(answer, httptest.NewRequest(wrong.method, wrong.path, nil))
		var body struct {
			Error struct{ Code, Message, RequestID string }
		}
		if err := json.Unmarshal(answer.Body.Bytes(), &body); err != nil {
			t.Fatalf("%s: %v", answer.Body, err)
		}
		if answer.Code != wrong.status || body.Error.Code != wrong.code || answer.Header().Get("Allow") != wrong.allow {
			t.Errorf("%s %s: %d %v %s", wrong.method, wrong.path, answer.Code, answer.Header(), answer.Body)
		}
		if id := answer.Header().Get("X-Request-Id"); id == "" || id != body.Error.RequestID {
			t.Errorf("request id %q in the header, %q in the body", id, body.Error.RequestID)
		}
	}
}

func TestWhatNoRouteTakesIsRefusedAsInEveryStackWhateverItsBodyIs(t *testing.T) {
	text, err := os.ReadFile("../../contract/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Refusals []struct {
			Method, Path, Type, Hex, Code, Message, Allow string
			Status                                        int
		}
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	nothing := func(http.ResponseWriter, *http.Request) {}
	parts := service.Parts{Routes: map[string]http.HandlerFunc{"GET /things": nothing, "POST /things": nothing}}
	things, seen := service.Handler("some-service", parts, slog.New(slog.DiscardHandler)), 0
	for _, vector := range vectors.Refusals {
		if vector.Status != http.StatusNotFound && vector.Status != http.StatusMethodNotAllowed {
			continue // what a body must be is the handler's own
		}
		seen++
		body, err := hex.DecodeString(vector.Hex)
		if err != nil {
			t.Fatal(err)
		}
		request := httptest.NewRequest(vector.Method, vector.Path, bytes.NewReader(body))
		request.Header.Set("Content-Type", vector.Type)
		answer := httptest.NewRecorder()
		things.ServeHTTP(answer, request)
		said := struct {
			Error struct{ Code, Message string }
		}{}
		if err := json.Unmarshal(answer.Body.Bytes(), &said); err != nil {
			t.Fatalf("%s: %v", answer.Body, err)
		}
		if answer.Code != vector.Status || said.Error.Code != vector.Code || said.Error.Message != vector.Message || answer.Header().Get("Allow") != vector.Allow {
			t.Errorf("%+v: %d %v %s", vector, answer.Code, answer.Header(), answer.Body)
		}
	}
	if seen < 5 {
		t.Errorf("only %d vectors", seen)
	}
}

func TestARequestThatTakesTooLongEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		handler(t).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/slow", nil))
		if took := time.Since(began); took != limits.Request {
			t.Errorf("it took %s", took)
		}
	})
}
