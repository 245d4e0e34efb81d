package main_test

import (
	"bufio"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	apigateway "github.com/nextai-agent/platform/services/api-gateway"
	"github.com/nextai-agent/platform/services/api-gateway/internal/config"
	"github.com/nextai-agent/platform/services/api-gateway/internal/teststores"
)

func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "server")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// freePort is one that nobody listens on at this moment.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func exit(err error) int {
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return ended.ExitCode()
	}
	return 0
}

func TestTheProgram(t *testing.T) {
	binary := build(t)

	t.Run("without its variables names them all in one line and exits 2", func(t *testing.T) {
		command := exec.Command(binary)
		command.Env = []string{"JWT_SECRET=hunter2"}
		var text strings.Builder
		command.Stderr = &text
		code := exit(command.Run())
		line := text.String()
		if code != 2 || strings.Count(line, "\n") != 1 || !strings.Contains(line, "REDIS_URL is required") ||
			!strings.Contains(line, "JWT_SECRET must have 32 characters or more") || strings.Contains(line, "hunter2") {
			t.Errorf("exit %d: %q", code, line)
		}
	})

	t.Run("serves, answers its own health check, and ends cleanly on SIGTERM", func(t *testing.T) {
		port := freePort(t)
		command := exec.Command(binary)
		command.Env = []string{
			"HOST=127.0.0.1", "PORT=" + port, "JWT_SECRET=" + strings.Repeat("k", 32), "CORS_ORIGINS=http://localhost:13000",
			"DATABASE_URL=" + teststores.URL(t, "DATABASE_URL"), "REDIS_URL=" + teststores.URL(t, "REDIS_URL"),
		}
		contract, err := config.Parse(apigateway.Contract)
		if err != nil {
			t.Fatal(err)
		}
		for _, route := range contract.Routes {
			command.Env = append(command.Env, route.URL+"=http://127.0.0.1:1")
		}
		out, err := command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		if !lines.Scan() || !regexp.MustCompile(`"msg":"listening"`).MatchString(lines.Text()) {
			t.Fatalf("first line: %s", lines.Text())
		}
		for path, want := range map[string]int{"": 0, "/health/ready": 0, "/nothing": 1} {
			probe := exec.Command(binary, "-healthcheck", path)
			probe.Env = []string{"PORT=" + port}
			if code := exit(probe.Run()); code != want {
				t.Errorf("-healthcheck %s: exit %d", path, code)
			}
		}
		if err := command.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // to the end of the output
		}
		if code := exit(command.Wait()); code != 0 {
			t.Errorf("exit %d after SIGTERM", code)
		}
	})

	t.Run("health check of nothing fails", func(t *testing.T) {
		probe := exec.Command(binary, "-healthcheck")
		probe.Env = []string{"PORT=1"}
		if code := exit(probe.Run()); code != 1 {
			t.Errorf("exit %d", code)
		}
	})

	if info, err := os.Stat(binary); err == nil {
		t.Logf("binary: %d MB with symbols", info.Size()>>20)
	}
}
